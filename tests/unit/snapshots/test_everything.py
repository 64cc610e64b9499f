"""Everything that a database can have arrives in a golden directory as it was, or is told to have been left out."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.golden import ensure_golden
from dataops.snapshots.large_objects import OBJECTS, PAGES
from dataops.snapshots.manifest import Manifest
from support.postgres import open_directory
from support.small_production import Production, copy_text, running_clone
from support.warehouses import Warehouse, warehouse

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "support" / "rich_schema.sql"
OWN = "= 'rich'::regnamespace"
TABLES = f"""SELECT c.relname FROM pg_class c WHERE c.relnamespace {OWN} AND c.relkind = 'r' ORDER BY 1"""
COLUMNS = f"""
SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass::text, a.attname
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE a.attgenerated = '' AND c.relnamespace {OWN} AND c.relkind = 'r'"""
CATALOGUE = {
    "relations": f"""SELECT relname, relkind, relpersistence, relispopulated, relrowsecurity, relforcerowsecurity,
      reloptions, relispartition, pg_get_expr(relpartbound, oid), pg_get_partkeydef(oid), relhasrules,
      reloftype::regtype
      FROM pg_class WHERE relnamespace {OWN} AND relname <> 'elsewhere' ORDER BY relname""",
    "columns": f"""SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
      a.attgenerated, a.attstorage, a.attstattarget, a.attcollation::regcollation::text, pg_get_expr(d.adbin, d.adrelid)
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      LEFT JOIN pg_attrdef d ON (adrelid, adnum) = (c.oid, attnum)
      WHERE c.relnamespace {OWN} AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2""",
    "constraints": f"""SELECT conname, contype, condeferrable, condeferred, convalidated, pg_get_constraintdef(oid),
      obj_description(oid) FROM pg_constraint WHERE connamespace {OWN} ORDER BY conname, 6""",
    "indexes": f"""SELECT pg_get_indexdef(indexrelid), obj_description(indexrelid) FROM pg_index i
      JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace {OWN} ORDER BY 1""",
    "functions": f"SELECT proname, prosrc, provolatile, prokind FROM pg_proc WHERE pronamespace {OWN} ORDER BY 1, 2",
    "triggers": """SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1""",
    "event triggers": "SELECT evtname, evtevent, evttags FROM pg_event_trigger ORDER BY 1",
    "types": f"""SELECT typname, typtype, typnotnull, typdefault, typbasetype::regtype::text,
      (SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
      FROM pg_type t WHERE typnamespace {OWN} AND typname !~ 'elsewhere' ORDER BY 1""",
    "collations": f"SELECT collname, collprovider, collcollate FROM pg_collation WHERE collnamespace {OWN}",
    "extensions": "SELECT extname, extnamespace::regnamespace::text FROM pg_extension ORDER BY 1",
    "comments": f"""SELECT c.relname, d.objsubid, d.description FROM pg_description d
      JOIN pg_class c ON c.oid = d.objoid
      WHERE c.relnamespace {OWN} AND d.classoid = 'pg_class'::regclass ORDER BY 1, 2""",
    "schema": "SELECT obj_description('rich'::regnamespace, 'pg_namespace')",
    "inheritance": f"""SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits
      JOIN pg_class c ON c.oid = inhrelid WHERE c.relnamespace {OWN} ORDER BY 1, 2""",
    "policies": """SELECT polname, polcmd, polpermissive, pg_get_expr(polqual, polrelid) FROM pg_policy
      WHERE polname <> 'for_some'""",
    "sequences": """SELECT sequencename, start_value, min_value, max_value, increment_by, cycle, cache_size, last_value
      FROM pg_sequences WHERE schemaname = 'rich' ORDER BY 1""",
    "statistics": f"SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxnamespace {OWN}",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'rich' ORDER BY 1",
    "rules": "SELECT definition FROM pg_rules WHERE schemaname = 'rich' ORDER BY 1",
    "operators": f"SELECT oprname, oprcode::text FROM pg_operator WHERE oprnamespace {OWN}",
    "text search": f"SELECT cfgname FROM pg_ts_config WHERE cfgnamespace {OWN}",
    "materialised views": "SELECT * FROM rich.z_counts ORDER BY 1",
    "over another": "SELECT * FROM rich.a_total",
    "large objects": """SELECT oid, lo_get(oid), obj_description(oid, 'pg_largeobject') FROM pg_largeobject_metadata
      ORDER BY 1""",
    "identity goes on": "SELECT pg_get_serial_sequence('rich.types', c) FROM unnest('{id,serial_id}'::text[]) c",
}
LEFT_OUT = [
    "the foreign server rich_far with its user mappings",
    "what the foreign table rich.elsewhere leads to: in a replica it is an empty table",
    "the publication rich_publication",
    "the policy for_some on rich.parents, which is for roles of its own: rich_role",
    "the default privileges of postgres in the schema rich on tables",
    "the owner rich_role of 1 relations: in a replica all belongs to one role",
    "the owner postgres of 3 large objects, and their privileges: in a replica all belongs to one role",
]


@dataclass(frozen=True)
class Rich:
    """The database, its snapshot, and a clone made of that."""

    source: Warehouse
    manifest: Manifest
    clone: dict[str, Any]
    told: list[str]


@pytest.fixture(scope="module")
def rich(production: Production) -> Iterator[Rich]:
    home = production.layout.home
    with connect(production.connection) as admin:
        admin.execute("CREATE ROLE rich_role")
    with warehouse(production.connection, home, "rich", "SELECT 1", {}) as empty, open_directory() as folder:
        psql = install_binaries(home, server_user()).path("psql")
        server = production.connection
        target = [f"--host={server['host']}", f"--port={server['port']}", f"--username={server['user']}"]
        command = [str(psql), "-Xqo/dev/null", "-vON_ERROR_STOP=1", *target, "--dbname=rich", f"--file={SCRIPT}"]
        subprocess.run(command, check=True)
        rules: dict[str, dict[str, list[str]]] = {}
        for table, column in empty.run(COLUMNS):
            rules.setdefault(table, {"keep": []})["keep"].append(column)
        rules.setdefault("rich.no_columns", {"keep": []})
        rules |= {OBJECTS: {"keep": ["comment"]}, PAGES: {"keep": ["data"]}}
        made = Warehouse(empty.layout, empty.connection, "rich", {"tables": rules})
        told: list[str] = []
        manifest = made.capture(progress=told.append)
        golden = ensure_golden(manifest, made.layout)
        with running_clone(golden, folder) as clone:
            yield Rich(made, manifest, clone, told)
    with connect(production.connection) as admin:
        admin.execute("DROP ROLE rich_role")


def rows(connection: dict[str, Any], query: str) -> list[tuple[Any, ...]]:
    with connect(connection, "rich") as session:
        return session.execute(query.encode()).fetchall()


@pytest.mark.parametrize("what", CATALOGUE)
def test_the_catalogue_arrives_whole(rich: Rich, what: str) -> None:
    before = rows(rich.source.connection, CATALOGUE[what])
    assert before
    assert rows(rich.clone, CATALOGUE[what]) == before


def test_every_row_arrives_byte_for_byte(rich: Rich) -> None:
    for (table,) in rich.source.run(TABLES):
        query = f"SELECT * FROM ONLY rich.{table}"
        before = copy_text(rich.source.connection, query, "rich")
        after = copy_text(rich.clone, query, "rich")
        assert sorted(after.splitlines()) == sorted(before.splitlines()), table
        assert len(after.splitlines()) == rich.manifest.tables[f"rich.{table}"].rows


def test_what_is_not_carried_is_told_and_stands_in_the_manifest(rich: Rich) -> None:
    for what in LEFT_OUT:
        assert what in rich.manifest.left_out
        assert f"left out: {what}" in rich.told
    assert any(what.startswith("the privileges granted on") for what in rich.manifest.left_out)


def test_a_database_that_has_nothing_is_captured_and_restored_all_the_same(production: Production) -> None:
    with warehouse(production.connection, production.layout.home, "bare", "SELECT 1", {}) as bare:
        manifest = bare.capture()
        assert manifest.tables == {} and ensure_golden(manifest, bare.layout).tables == 0
