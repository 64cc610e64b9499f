from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataops.infra.errors import ResourceError
from dataops.infra.process.postgres_connection import connect
from dataops.infra.providers.base import Changes
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.providers.postgres import postgres_handlers
from dataops.infra.resources.values import UNKNOWN

PREFIX = "urn:pulumi:dev::flights::dataops:postgres:"
URN = PREFIX + "Grant::grant"


@dataclass
class Warehouse:
    """A database with an owner, the schema `marts` with two tables, and a reader without rights."""

    provider: HandlerProvider
    connection: dict[str, Any]
    database: str
    owner: str
    reader: str

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs statements as the owner; the rows of the last."""
        rows: list[tuple[Any, ...]] = []
        with connect(self.connection, self.database) as opened:
            opened.execute(f'SET ROLE "{self.owner}"')
            for statement in statements:
                cursor = opened.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def can_read(self, table: str) -> bool:
        query = f"SELECT has_table_privilege('{self.reader}', '{table}', 'SELECT')"
        return bool(self.sql(query)[0][0])

    def inputs(self, **changes: Any) -> dict[str, Any]:
        usual = {"role": self.reader, "schema": "marts", "tables": ["delays"], "privileges": ["select"]}
        return {"connection": self.connection, "database": self.database, **usual, **changes}


@pytest.fixture
def warehouse(connection: dict[str, Any]) -> Iterator[Warehouse]:
    provider = HandlerProvider(postgres_handlers())
    mark = uuid4().hex[:8]
    owner, reader, database = f"owner_{mark}", f"reader_{mark}", f"flights_{mark}"
    for role in (owner, reader):
        provider.create(PREFIX + "Role::r", {"connection": connection, "name": role}, 0, preview=False)
    inputs = {"connection": connection, "name": database, "owner": owner, "schemas": ["raw", "marts"]}
    provider.create(PREFIX + "Database::d", inputs, 0, preview=False)
    made = Warehouse(provider, connection, database, owner, reader)
    made.sql("CREATE TABLE marts.delays (carrier text)", "CREATE TABLE marts.weather (hour int)")
    yield made
    provider.delete(PREFIX + "Database::d", database, inputs, {}, 0)
    for role in (owner, reader):
        provider.delete(PREFIX + "Role::r", role, {"connection": connection, "name": role}, {}, 0)


def test_a_grant_gives_what_it_declares_and_no_more(warehouse: Warehouse) -> None:
    made = warehouse.provider.create(URN, warehouse.inputs(), 0, preview=False)
    assert made.outputs["declared"] == {"delays": ["SELECT"]}
    assert made.outputs["granted"] == {"delays": ["SELECT"]}
    assert (warehouse.can_read("marts.delays"), warehouse.can_read("marts.weather")) == (True, False)


def test_a_named_table_that_is_made_anew_keeps_its_grants(warehouse: Warehouse) -> None:
    warehouse.provider.create(URN, warehouse.inputs(), 0, preview=False)
    warehouse.sql("DROP TABLE marts.delays", "CREATE TABLE marts.delays AS SELECT 'UA' AS carrier")
    assert warehouse.can_read("marts.delays")
    warehouse.sql("CREATE TABLE marts.fresh (n int)", "DROP TABLE marts.delays")
    assert not warehouse.can_read("marts.fresh")
    warehouse.sql("ALTER TABLE marts.fresh RENAME TO delays")
    assert warehouse.can_read("marts.delays")


def test_every_table_includes_tables_made_later(warehouse: Warehouse) -> None:
    made = warehouse.provider.create(URN, warehouse.inputs(tables=["*"]), 0, preview=False)
    warehouse.sql("CREATE TABLE marts.later (n int)")
    assert warehouse.can_read("marts.later")
    read = warehouse.provider.read(URN, made.id, warehouse.inputs(tables=["*"]), made.outputs)
    assert read.outputs["granted"] == {t: ["SELECT"] for t in ("delays", "later", "weather")}
    assert read.outputs["agrees"]


def test_a_privilege_no_longer_declared_is_revoked(warehouse: Warehouse) -> None:
    wide = warehouse.inputs(tables=["*"], privileges=["select", "insert"])
    made = warehouse.provider.create(URN, wide, 0, preview=False)
    narrow = warehouse.inputs(tables=["weather"])
    changed = warehouse.provider.update(URN, made.id, wide, made.outputs, narrow, 0, [], preview=False)
    assert changed.outputs["granted"] == {"weather": ["SELECT"]}
    warehouse.sql("CREATE TABLE marts.later (n int)")
    assert not warehouse.can_read("marts.later")


@pytest.mark.parametrize("by_hand", ["GRANT DELETE ON marts.weather TO", "REVOKE SELECT ON marts.delays FROM"])
def test_a_right_changed_by_hand_is_drift_and_repaired(warehouse: Warehouse, by_hand: str) -> None:
    provider, inputs = warehouse.provider, warehouse.inputs()
    made = provider.create(URN, inputs, 0, preview=False)
    assert provider.diff(URN, made.id, inputs, made.outputs, inputs, []).changes is Changes.NONE
    warehouse.sql(f'{by_hand} "{warehouse.reader}"')
    read = provider.read(URN, made.id, inputs, made.outputs)
    assert provider.diff(URN, made.id, inputs, read.outputs, inputs, []).changed == ("granted",)
    repaired = provider.update(URN, made.id, inputs, read.outputs, inputs, 0, [], preview=False)
    assert repaired.outputs["granted"] == {"delays": ["SELECT"]}


def test_a_deleted_grant_leaves_no_right_behind(warehouse: Warehouse) -> None:
    for tables in (["*"], ["delays", "not there yet"]):
        made = warehouse.provider.create(URN, warehouse.inputs(tables=tables), 0, preview=False)
        warehouse.provider.delete(URN, made.id, warehouse.inputs(tables=tables), made.outputs, 0)
        warehouse.provider.delete(URN, made.id, warehouse.inputs(tables=tables), made.outputs, 0)
        warehouse.sql('DROP TABLE IF EXISTS marts."not there yet"', 'CREATE TABLE marts."not there yet" (n int)')
        left = warehouse.sql(
            f"SELECT has_table_privilege('{warehouse.reader}', c.oid, 'SELECT') FROM pg_class c "
            "WHERE relnamespace = 'marts'::regnamespace"
        )
        assert left == [(False,)] * 3
        rights = f"SELECT has_schema_privilege('{warehouse.reader}', 'marts', 'USAGE'), has_database_privilege("
        assert warehouse.sql(rights + f"'{warehouse.reader}', current_database(), 'CONNECT')") == [(False, False)]


def test_a_grant_to_nobody_says_so(warehouse: Warehouse) -> None:
    with pytest.raises(ResourceError, match="there is no role nobody"):
        warehouse.provider.create(URN, warehouse.inputs(role="nobody"), 0, preview=False)


def test_an_unknown_privilege_is_refused(warehouse: Warehouse) -> None:
    check = warehouse.provider.check(URN, None, warehouse.inputs(privileges=["select", "fly"], connection=UNKNOWN))
    assert [(failure.property, "fly" in failure.reason) for failure in check.failures] == [("privileges", True)]


def test_a_grant_of_a_dropped_database_is_gone(warehouse: Warehouse) -> None:
    made = warehouse.provider.create(URN, warehouse.inputs(), 0, preview=False)
    with connect(warehouse.connection) as opened:
        opened.execute(f"DROP DATABASE {warehouse.database} WITH (FORCE)")
    assert warehouse.provider.read(URN, made.id, warehouse.inputs(), made.outputs).id == ""
    warehouse.provider.delete(URN, made.id, warehouse.inputs(), made.outputs, 0)


def test_nobody_enters_a_database_without_a_grant(warehouse: Warehouse) -> None:
    query = f"SELECT has_database_privilege('{warehouse.reader}', current_database(), 'CONNECT')"
    assert warehouse.sql(query) == [(False,)]


def test_an_undeclared_schema_is_dropped_only_when_empty(warehouse: Warehouse) -> None:
    urn = PREFIX + "Database::d"
    inputs = {"connection": warehouse.connection, "name": warehouse.database, "owner": warehouse.owner}
    before, after = {**inputs, "schemas": ["marts", "raw"]}, {**inputs, "schemas": []}
    warehouse.provider.update(urn, warehouse.database, before, {}, after, 0, [], preview=False)
    found = warehouse.sql("SELECT nspname FROM pg_namespace WHERE nspname IN ('raw', 'marts')")
    assert found == [("marts",)]


hostile = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=15
).filter(lambda name: not name.startswith("pg_") and name not in {"*", "raw", "marts", "dataops", "public"})


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schema=hostile, table=hostile)
def test_hostile_names_of_schemas_and_tables_are_only_names(warehouse: Warehouse, schema: str, table: str) -> None:
    provider = warehouse.provider
    database = {"connection": warehouse.connection, "name": warehouse.database, "owner": warehouse.owner}
    provider.create(PREFIX + "Database::d", {**database, "schemas": [schema, "marts"]}, 0, preview=False)
    inputs = warehouse.inputs(schema=schema, tables=[table, "other"])
    made = provider.create(URN, inputs, 0, preview=False)
    quoted = ".".join('"' + name.replace('"', '""') + '"' for name in (schema, table))
    warehouse.sql(f"CREATE TABLE {quoted} (n int)")
    read = provider.read(URN, made.id, inputs, made.outputs)
    assert read.outputs["granted"] == {table: ["SELECT"]}
    assert read.outputs["agrees"]
    provider.delete(URN, made.id, inputs, made.outputs, 0)
    warehouse.sql(f"DROP SCHEMA {quoted.rpartition('.')[0]} CASCADE" if "." not in table else "SELECT 1")
    warehouse.sql(f"DROP TABLE IF EXISTS {quoted}" if "." in table else "SELECT 1")
