"""Who gets into a lake, worked out from roles, products and people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataops.infra.platform.lake_access import LakeAccess, lake_access
from dataops.infra.platform.loader import load_platform
from support.platform_file import write_platform

OWN = "arn:aws:s3:::x-lake"


def access(folder: Path, products: str, *, people: bool = False, privileges: str = "[select]") -> LakeAccess:
    path = write_platform(folder, "tables: [marts.sales]", f"tables: [marts.sales]\n    objects: {products}")
    path.write_text(path.read_text().replace("privileges: [select]", f"privileges: {privileges}"))
    return lake_access(load_platform(path), "x-lake", people=people, developer=not people)


def allowed(found: LakeAccess, who: str) -> list[tuple[list[str], list[str], Any]]:
    return [
        (one["Action"], one["Resource"], one.get("Condition"))
        for one in found.policy["Statement"]
        if who in one["Principal"]["AWS"]
    ]


def test_pipelines_and_the_developer_may_do_all_there_is_with_objects_and_nothing_with_policies(tmp_path: Path) -> None:
    found = access(tmp_path, "[]")
    ((actions, resources, condition),) = allowed(found, "pipeline")
    assert allowed(found, "developer") == [(actions, resources, condition)] and condition is None
    assert resources == [OWN, f"{OWN}/*"]
    assert {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"} <= set(actions)
    assert not any("Policy" in action or "*" in action for action in actions)


def test_a_role_reads_the_objects_of_its_product_and_lists_no_others(tmp_path: Path) -> None:
    found = access(tmp_path, "[marts/daily/*, raw/one.csv]")
    reading, listing = allowed(found, "sales_reader")
    assert reading == (["s3:GetObject"], [f"{OWN}/marts/daily/*", f"{OWN}/raw/one.csv"], None)
    prefixes = {"StringLike": {"s3:prefix": ["marts/daily/*", "raw/one.csv", "raw/one.csv/*"]}}
    assert listing == (["s3:ListBucket"], [OWN], prefixes)


def test_a_role_of_a_product_without_objects_has_a_key_that_opens_nothing(tmp_path: Path) -> None:
    found = access(tmp_path, "[]")
    assert "sales_reader" in found.accounts and allowed(found, "sales_reader") == []


def test_privileges_mean_the_same_for_objects_as_for_tables(tmp_path: Path) -> None:
    found = access(tmp_path, "[marts/*]", privileges="[insert, delete, references]")
    ((actions, resources, _),) = allowed(found, "sales_reader")
    assert {"s3:PutObject", "s3:DeleteObject"} <= set(actions) and "s3:GetObject" not in actions
    assert resources == [f"{OWN}/marts/*"]


def test_people_have_keys_with_the_rights_of_their_roles(tmp_path: Path) -> None:
    found = access(tmp_path, "[marts/*]", people=True)
    assert found.accounts == ("ada", "pipeline", "sales_reader")
    assert allowed(found, "ada") == allowed(found, "sales_reader") != []
