"""A snapshot of a production that reaches everywhere, and the clone of it, which reaches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops.infra.errors import PolicyError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.process import postgres_server
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.golden import Golden, ensure_golden
from dataops.snapshots.hygiene import without_links
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.verification import Replica, verify
from support.postgres import FAST, open_directory
from support.small_production import DATABASE, Production, running_clone

SECRET = "correct-horse-battery"
FAR = "far.prod.example.com"
SETTINGS = {
    **FAST,
    "wal_level": "logical",
    "max_wal_senders": 4,
    "archive_mode": True,
    "archive_command": f"/bin/true {SECRET}",
    "restore_command": f"/bin/false {SECRET}",
}
SET_UP = f"""
CREATE ROLE ada LOGIN SUPERUSER PASSWORD '{SECRET}';
ALTER ROLE ada SET search_path = 'far_{SECRET}';
CREATE SCHEMA raw AUTHORIZATION ada;
CREATE TABLE raw.orders (id int PRIMARY KEY, amount int);
INSERT INTO raw.orders SELECT n, n FROM generate_series(1, 9) n;
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE SUBSCRIPTION feed CONNECTION 'host={FAR} password={SECRET}' PUBLICATION everything
  WITH (connect = false, slot_name = NONE);
CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{FAR}', dbname 'x');
COMMENT ON SERVER far IS 'the {SECRET} server';
CREATE USER MAPPING FOR ada SERVER far OPTIONS (user 'ada', password '{SECRET}');
CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'postgres', password '{SECRET}');
CREATE FOREIGN TABLE raw.elsewhere (
  id int OPTIONS (column_name 'the_id') NOT NULL, note text DEFAULT ') SERVER far;', price numeric(9, 2)
) SERVER far OPTIONS (schema_name 'secret', table_name 't');
COMMENT ON FOREIGN TABLE raw.elsewhere IS 'not here';
COMMENT ON COLUMN raw.elsewhere.note IS 'a note';
CREATE VIEW raw.both AS SELECT o.id, e.note FROM raw.orders o LEFT JOIN raw.elsewhere e USING (id);
CREATE MATERIALIZED VIEW raw.numbers AS SELECT id FROM raw.orders;
CREATE SCHEMA cron; CREATE TABLE cron.job (jobid int PRIMARY KEY, command text, active boolean NOT NULL DEFAULT true);
INSERT INTO cron.job VALUES (1, 'SELECT 1', true), (2, 'SELECT 2', false);
CREATE SCHEMA pgagent; CREATE TABLE pgagent.pga_job (jobid int PRIMARY KEY, jobname text);
INSERT INTO pgagent.pga_job VALUES (1, 'nightly');
"""
POLICY = {
    "tables": {
        "raw.orders": {"keep": ["id", "amount"]},
        "cron.job": {"keep": ["jobid", "command", "active"]},
        "pgagent.pga_job": {"keep": ["jobid", "jobname"]},
    }
}


@pytest.fixture(scope="module")
def reaching() -> Iterator[Production]:
    """A production with a subscription, a slot, foreign servers, archiving, scheduled jobs and roles with passwords."""
    with open_directory() as home:
        user = server_user()
        binaries = install_binaries(home, user)
        data = home / "cluster"
        postgres_server.initialize(data, binaries, user, sync=False)
        (home / "lake").mkdir()
        try:
            with postgres_server.temporary_server(data, binaries, user, settings=SETTINGS) as connection:
                with connect(connection) as admin:
                    admin.execute(f"CREATE DATABASE {DATABASE}".encode())
                    admin.execute(f"ALTER DATABASE {DATABASE} SET work_mem = '77MB'".encode())
                    admin.execute(b"SELECT pg_create_physical_replication_slot('standby')")
                with connect(connection, DATABASE) as admin:
                    admin.execute(SET_UP.encode())
                    admin.execute(b"SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
                yield Production(PlatformLayout(home, "shop-00000000"), connection, home / "lake")
        finally:
            postgres_server.remove(data)


@pytest.fixture(scope="module")
def captured(reaching: Production) -> tuple[Manifest, Golden]:
    told: list[str] = []
    manifest = reaching.capture(POLICY, progress=told.append)
    assert "left out: the foreign server far with its user mappings" in told
    assert "left out: what the foreign table raw.elsewhere leads to: in a replica it is an empty table" in told
    return manifest, ensure_golden(manifest, reaching.layout)


@pytest.fixture(scope="module")
def clone(captured: tuple[Manifest, Golden]) -> Iterator[dict[str, Any]]:
    with open_directory() as directory, running_clone(captured[1], directory) as connection:
        yield {**connection, "data": directory / "clone"}


def rows(connection: dict[str, Any], query: str) -> list[tuple[Any, ...]]:
    with connect(connection, DATABASE) as session:
        return session.execute(query.encode()).fetchall()


@pytest.mark.parametrize(
    ("what", "query"),
    [
        ("subscriptions", "SELECT subname FROM pg_subscription"),
        ("replication slots", "SELECT slot_name FROM pg_replication_slots"),
        ("foreign servers", "SELECT srvname FROM pg_foreign_server"),
        ("user mappings", "SELECT usename FROM pg_user_mappings"),
        ("roles of production", "SELECT rolname FROM pg_roles WHERE rolname = 'ada'"),
        ("passwords", "SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL"),
        ("settings of roles and databases", "SELECT setconfig FROM pg_db_role_setting"),
        ("active jobs of pg_cron", "SELECT jobid FROM cron.job WHERE active"),
        ("jobs that cannot be switched off", "SELECT jobid FROM pgagent.pga_job"),
        (
            "commands that archive or restore",
            "SELECT name FROM pg_settings WHERE setting NOT IN ('', '(disabled)', 'off') AND name IN "
            "('archive_command', 'restore_command', 'archive_library', 'primary_conninfo', 'archive_mode')",
        ),
    ],
)
def test_a_clone_has_no(clone: dict[str, Any], what: str, query: str) -> None:
    assert rows(clone, query) == [], what


def test_a_clone_keeps_its_data_and_what_is_made_of_foreign_tables_which_are_empty(clone: dict[str, Any]) -> None:
    assert rows(clone, "SELECT count(*), count(note) FROM raw.both") == [(9, 0)]
    assert rows(clone, "SELECT count(*) FROM raw.numbers") == [(9,)]
    assert rows(clone, "SELECT jobid, active FROM cron.job ORDER BY 1") == [(1, False), (2, False)]
    described = "SELECT obj_description(oid), relkind FROM pg_class WHERE oid = 'raw.elsewhere'::regclass"
    assert rows(clone, described) == [("not here", "r")]
    columns = "SELECT attname, format_type(atttypid, atttypmod), attnotnull, atthasdef FROM pg_attribute "
    where = "WHERE attrelid = 'raw.elsewhere'::regclass AND attnum > 0 ORDER BY attnum"
    assert rows(clone, columns + where) == [
        ("id", "integer", True, False), ("note", "text", False, True), ("price", "numeric(9,2)", False, False)
    ]  # fmt: skip


def test_no_password_and_no_address_of_production_is_in_a_snapshot_or_its_golden_directory(
    reaching: Production, captured: tuple[Manifest, Golden]
) -> None:
    import zstandard

    manifest, golden = captured
    for word in (SECRET, FAR):
        assert any(
            word.encode() in path.read_bytes()
            for path in (reaching.layout.home / "cluster").rglob("*")
            if path.is_file()
        )
    for folder in (reaching.layout.snapshots, golden.data_directory):
        for path in (path for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            if path.suffix == ".zst" or content.startswith(b"\x28\xb5\x2f\xfd"):
                content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
            assert SECRET.encode() not in content, path
            assert FAR.encode() not in content, path


def check(clone: dict[str, Any], manifest: Manifest, lake: Path, roles: tuple[str, ...] = ()) -> None:
    replica = Replica(
        connection=clone, database=DATABASE, data_directory=clone["data"], lake=lake, roles=roles,
        forbidden_roles=("ada",), grants=(), variables={}, production_hosts=(),
    )  # fmt: skip
    verify(replica, manifest)


def test_what_would_reach_elsewhere_keeps_endpoints_from_being_published(
    clone: dict[str, Any], captured: tuple[Manifest, Golden]
) -> None:
    manifest, golden = captured
    check(clone, manifest, golden.lake_directory)
    for change, back, error, what in (
        (
            "UPDATE cron.job SET active = true WHERE jobid = 2",
            "UPDATE cron.job SET active = false",
            PolicyError,
            "the scheduled cron job 2",
        ),
        ("CREATE ROLE bob LOGIN PASSWORD 'x'", "DROP ROLE bob", VerificationError, "own making, that of the role bob"),
        ("CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw", "DROP SERVER s", PolicyError, "the foreign server s"),
    ):
        rows_changed(clone, change)
        with pytest.raises(error, match=what):
            check(clone, manifest, golden.lake_directory)
        rows_changed(clone, back)
    rows_changed(clone, "CREATE ROLE own LOGIN PASSWORD 'x'")
    check(clone, manifest, golden.lake_directory, roles=("own",))
    rows_changed(clone, "DROP ROLE own")


def rows_changed(connection: dict[str, Any], change: str) -> None:
    with connect(connection, DATABASE) as session:
        session.execute(change.encode())


def test_a_schema_in_an_unknown_form_is_refused_rather_than_kept_with_its_passwords() -> None:
    with pytest.raises(VerificationError, match="still has a user mapping"):
        without_links(f"CREATE USER MAPPING FOR x SERVER y OPTIONS (password '{SECRET}');".encode())


@given(st.text(alphabet="abc \n-;()'$", max_size=200))
def test_a_schema_without_links_is_left_as_it_is(body: str) -> None:
    script = f"SET x = 1;\n\n--\n-- Name: f; Type: FUNCTION; Schema: raw; Owner: -\n--\n\n{body}\n".encode()
    assert without_links(script) == script
