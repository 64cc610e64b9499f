"""Who may do what, worked out from `dataops.yaml`: the matrix that the stacks declare and verification compares."""

from __future__ import annotations

from dataclasses import dataclass

from dataops.infra.platform.model import Platform

OWNER = "warehouse_owner"
PIPELINE = "pipeline"
DEVELOPER = "developer"


@dataclass(frozen=True, slots=True)
class GrantDeclaration:
    """A role's privileges on some tables of one schema; `tables` without the schema's name."""

    role: str
    schema: str
    tables: tuple[str, ...]
    privileges: tuple[str, ...]


def declared_grants(platform: Platform) -> tuple[GrantDeclaration, ...]:
    """The grants of all product roles, one for each role and schema, sorted."""
    found: list[GrantDeclaration] = []
    for role_name, role in platform.access.roles.items():
        by_schema: dict[str, list[str]] = {}
        for table in platform.products[role.product].tables:
            schema, _, name = table.partition(".")
            by_schema.setdefault(schema, []).append(name)
        found += [
            GrantDeclaration(role_name, schema, tuple(sorted(set(tables))), tuple(sorted(set(role.privileges))))
            for schema, tables in by_schema.items()
        ]
    return tuple(sorted(found, key=lambda grant: (grant.role, grant.schema)))


def roles_of_people(platform: Platform) -> dict[str, tuple[str, ...]]:
    """For each person, the product roles they have, directly or by a team."""
    found: dict[str, tuple[str, ...]] = {}
    for login, person in platform.access.people.items():
        mine = {f"person:{login}", *(f"team:{team}" for team in person.teams)}
        found[login] = tuple(sorted(name for name, role in platform.access.roles.items() if mine & set(role.members)))
    return found
