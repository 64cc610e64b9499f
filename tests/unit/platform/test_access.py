"""The matrix of rights that follows from roles, products and people."""

from __future__ import annotations

from pathlib import Path

from dataops.infra.platform.access import GrantDeclaration, declared_grants, roles_of_people
from dataops.infra.platform.loader import load_platform
from support.platform_file import write_platform


def test_a_role_is_granted_the_tables_of_its_product(tmp_path: Path) -> None:
    platform = load_platform(write_platform(tmp_path))
    assert declared_grants(platform) == (GrantDeclaration("sales_reader", "marts", ("sales",), ("select",)),)


def test_a_product_in_two_schemas_needs_a_grant_in_each(tmp_path: Path) -> None:
    platform = load_platform(write_platform(tmp_path, "tables: [marts.sales]", "tables: [raw.orders, marts.sales]"))
    assert [grant.schema for grant in declared_grants(platform)] == ["marts", "raw"]


def test_people_have_the_roles_of_their_teams(tmp_path: Path) -> None:
    assert roles_of_people(load_platform(write_platform(tmp_path))) == {"ada": ("sales_reader",)}
