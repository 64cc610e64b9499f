"""`dataops:postgres:Database`: a database and its schemas, all of one owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataops.infra.providers.base import (
    CheckFailure,
    CreateResult,
    Operation,
    ReadResult,
    Recorded,
    ResourceHandler,
    UpdateResult,
)
from dataops.infra.providers.postgres.connection import check_names, database_exists, is_reachable, session
from dataops.infra.providers.postgres.statements import compose

if TYPE_CHECKING:
    from dataops.infra.providers.postgres.connection import Session

SYSTEM = frozenset({"postgres", "template0", "template1"})


class DatabaseHandler(ResourceHandler):
    """A database that nobody enters without a grant. A schema no longer declared is dropped only when it is empty."""

    token = "dataops:postgres:Database"
    required = frozenset({"connection", "name", "owner"})
    optional = frozenset({"schemas"})
    replace_on = frozenset({"name"})
    outputs = frozenset({"name", "owner", "schemas"})

    def check(self, inputs: dict[str, Any]) -> list[CheckFailure]:
        failures = list(check_names(inputs, ("name", "owner", "schemas")))
        if inputs.get("name", "x") in SYSTEM | {""}:
            failures.append(
                CheckFailure("name", f"{inputs['name']!r} is not a name that dataops may give to a database")
            )
        return failures

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        connection, name, owner = inputs["connection"], str(inputs["name"]), str(inputs["owner"])
        schemas = sorted(set(inputs.get("schemas") or []))
        doing = f"making the database {name}"
        with session(connection, doing) as opened:
            if not database_exists(opened, name):
                opened.execute(compose("CREATE DATABASE {} OWNER {}", name, owner))
            opened.execute(compose("ALTER DATABASE {} OWNER TO {}", name, owner))
            opened.execute(compose("REVOKE ALL ON DATABASE {} FROM PUBLIC", name))
        with session(connection, doing, name) as opened, opened.transaction():
            for schema in schemas:
                opened.execute(compose("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}", schema, owner))
                opened.execute(compose("ALTER SCHEMA {} OWNER TO {}", schema, owner))
        return CreateResult(name, {"name": name, "owner": owner, "schemas": schemas})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        connection = recorded.inputs["connection"]
        if not is_reachable(connection):  # the cluster says so; its databases are as they were
            return ReadResult(recorded.id, recorded.outputs)
        doing = f"reading the database {recorded.id}"
        with session(connection, doing) as opened:
            query = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = %s"
            row = opened.execute(query, (recorded.id,)).fetchone()
        if row is None:
            return ReadResult("", {})
        declared = recorded.inputs.get("schemas") or recorded.outputs.get("schemas") or []
        with session(connection, doing, recorded.id) as opened:
            schemas = sorted(set(declared) & _schemas_of(opened, str(row[0])))
        return ReadResult(recorded.id, {"name": recorded.id, "owner": str(row[0]), "schemas": schemas})

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        drifted = []
        if "owner" in inputs and recorded.outputs.get("owner") != inputs["owner"]:
            drifted.append("owner")
        if "schemas" in inputs and recorded.outputs.get("schemas") != sorted(set(inputs["schemas"])):
            drifted.append("schemas")
        return drifted

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        outputs = self.create(operation, inputs).outputs
        abandoned = set(recorded.inputs.get("schemas") or []) - set(outputs["schemas"])
        name = str(inputs["name"])
        with session(inputs["connection"], f"changing the database {name}", name) as opened:
            for schema in sorted(abandoned & _empty_schemas(opened)):
                opened.execute(compose("DROP SCHEMA {}", schema))
        return UpdateResult(outputs)

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        connection = recorded.inputs["connection"]
        if is_reachable(connection):
            with session(connection, f"dropping the database {recorded.id}") as opened:
                opened.execute(compose("DROP DATABASE IF EXISTS {} WITH (FORCE)", recorded.id))


def _schemas_of(opened: Session, owner: str) -> set[str]:
    query = "SELECT nspname::text FROM pg_namespace WHERE pg_get_userbyid(nspowner) = %s"
    return {str(row[0]) for row in opened.execute(query, (owner,)).fetchall()}


def _empty_schemas(opened: Session) -> set[str]:
    """Schemas that nothing depends on."""
    query = """
        SELECT nspname::text FROM pg_namespace n
        WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid)
    """
    return {str(row[0]) for row in opened.execute(query).fetchall()}
