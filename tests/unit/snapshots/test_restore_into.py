"""A snapshot into any Postgres: everything arrives or nothing does, and never in production."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import (
    ConfigurationError,
    DataopsError,
    LockedError,
    NotFoundError,
    PolicyError,
    ResourceError,
    VerificationError,
)
from dataops.infra.process.postgres_connection import connect
from dataops.snapshots.capture import CaptureOptions, capture
from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.manifest import table_label
from dataops.snapshots.restore_into import Progress, restore_into
from dataops.snapshots.storage.local import LocalStorage
from dataops.snapshots.target import check_dsn, open_target, refuse_production, require_extensions, require_roles
from support.older_postgres import older_cluster, older_postgres
from support.postgres import open_directory
from support.small_production import Production, Restored, copy_text, platform, running_clone
from support.stored_snapshots import opened

PASSWORD = "hunter2-hunter2"
PLAIN = """
CREATE SCHEMA raw; CREATE DOMAIN raw.amount AS numeric(9, 2) CHECK (VALUE >= 0);
CREATE TABLE raw.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total raw.amount, note text);
INSERT INTO raw.orders (total, note) SELECT n, 'a\\b' || chr(9) || 'ü' FROM generate_series(1, 500) n;
CREATE TABLE raw.lines (order_id int REFERENCES raw.orders, line int, PRIMARY KEY (order_id, line));
INSERT INTO raw.lines SELECT n, 1 FROM generate_series(1, 500) n;
CREATE MATERIALIZED VIEW raw.a_second AS SELECT 1 AS one WITH NO DATA;
CREATE MATERIALIZED VIEW raw.sums AS SELECT sum(total) AS total FROM raw.orders;
CREATE VIEW raw.sum AS SELECT total FROM raw.sums;
"""
POLICY = {"tables": {"raw.orders": {"keep": ["id", "total", "note"]}, "raw.lines": {"keep": ["order_id", "line"]}}}


@contextmanager
def database(connection: dict[str, Any], name: str, owner: str = "postgres") -> Iterator[str]:
    """An empty database on a cluster, and a DSN for it without a password."""
    with connect(connection) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER {owner}".encode())
    try:
        yield f"postgresql://{owner}@/{name}?host={connection['host']}&port={connection['port']}"
    finally:
        with connect(connection) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def plain(production: Production) -> Iterator[SnapshotReader]:
    """A snapshot of a small database that any Postgres can load."""
    where = production.elsewhere("plain-00000000")
    with database(production.connection, "plain"):
        with connect(production.connection, "plain") as admin:
            admin.execute(PLAIN.encode())
        manifest = capture(
            platform(POLICY), where.connection, "plain", where.lake.parent / "no-lake", where.layout, "c0ffee",
            "production", CaptureOptions(),
        )  # fmt: skip
    yield opened(where.layout, manifest)


def restore(dsn: str, snapshot: SnapshotReader, *, emptied: bool = False) -> list[Progress]:
    told: list[Progress] = []
    with open_target(dsn, ()) as target:
        done = restore_into(snapshot, target, emptied=emptied, tell=told.append)
    assert done.rows == sum(entry.rows for entry in snapshot.manifest.tables.values())
    return told


def rows(connection: dict[str, Any], name: str, query: str) -> list[tuple[Any, ...]]:
    with connect(connection, name) as session:
        return session.execute(query.encode()).fetchall()


def test_every_row_arrives_as_in_a_replica(restored: Restored) -> None:
    snapshot = opened(restored.production.layout, restored.manifest)
    server = restored.production.connection
    with database(server, "scratch") as dsn:
        told = restore(dsn, snapshot)
        assert [progress.tables[0] for progress in told] == list(range(1, len(restored.manifest.tables) + 1))
        assert told[-1].rows[0] == told[-1].rows[1]
        with open_directory() as directory, running_clone(restored.golden, directory) as replica:
            for table in restored.manifest.tables:
                query = f'SELECT * FROM ONLY {table} t ORDER BY t::text COLLATE "C"'
                assert copy_text(server, query, "scratch") == copy_text(replica, query), table
            for catalogue in ("pg_indexes WHERE schemaname !~ '^pg_'", "pg_views WHERE schemaname = 'raw'",
                              "pg_sequences WHERE true", "pg_matviews WHERE true"):  # fmt: skip
                owners = "'{sequenceowner,viewowner,matviewowner}'::text[]"
                query = f"SELECT to_jsonb(c) - {owners} FROM {catalogue.replace(' ', ' c ', 1)} ORDER BY 1"
                assert copy_text(server, query, "scratch") == copy_text(replica, query), catalogue


def test_a_user_who_may_little_restores_with_a_password_that_no_command_line_shows(
    production: Production, plain: SnapshotReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(production.connection) as admin:
        admin.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'".encode())
    try:
        with database(production.connection, "scratch", "app") as dsn:
            monkeypatch.setenv("PGPASSWORD", PASSWORD)
            restore(dsn, plain)
            query = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'raw'"
            owners = rows(production.connection, "scratch", query)
            assert owners == [("app",)]
            assert rows(production.connection, "scratch", "SELECT total FROM raw.sum") == [(125250,)]
            with connect(production.connection, "scratch") as admin:
                admin.execute(b"INSERT INTO raw.orders (total) VALUES (1)")
            assert rows(production.connection, "scratch", "SELECT max(id) FROM raw.orders") == [(501,)]
            monkeypatch.setenv("PGPASSWORD", "wrong")
            with pytest.raises(ResourceError, match="password authentication failed") as raised, open_target(dsn, ()):
                pass
            assert PASSWORD not in str(raised.value)
    finally:
        with connect(production.connection) as admin:
            admin.execute(b"DROP ROLE app")


@pytest.mark.parametrize(
    "dsn", [f"postgresql://me:{PASSWORD}@db/x", f"host=db password={PASSWORD}", "postgresql://[", "no dsn"]
)
def test_a_password_on_the_command_line_and_what_is_no_dsn_are_refused_without_being_told(dsn: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        check_dsn(dsn, typed=True)
    assert PASSWORD not in f"{raised.value} {raised.value.hint} {raised.value.details}"


def test_a_password_on_standard_input_is_taken() -> None:
    check_dsn(f"postgresql://me:{PASSWORD}@db/x", typed=False)


def test_what_is_in_the_database_keeps_a_snapshot_out_until_it_is_given_up(
    production: Production, plain: SnapshotReader
) -> None:
    things = (
        "CREATE TABLE mine (n int)", "CREATE SCHEMA raw", "CREATE TYPE mood AS ENUM ('a')",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "SELECT lo_from_bytea(4711, 'x')",
        "CREATE PUBLICATION p FOR ALL TABLES",
    )  # fmt: skip
    for number, thing in enumerate(things):
        with database(production.connection, f"scratch{number}") as dsn:
            with connect(production.connection, f"scratch{number}") as admin:
                admin.execute(b"CREATE EXTENSION citext")  # that of an extension does not count
                admin.execute(thing.encode())
            with pytest.raises(PolicyError, match="is not empty: it has the"):
                restore(dsn, plain)
            restore(dsn, plain, emptied=True)
            assert rows(production.connection, f"scratch{number}", "SELECT count(*) FROM raw.orders") == [(500,)]
            assert rows(production.connection, f"scratch{number}", "SELECT to_regclass('mine')") == [(None,)]


def test_a_restore_that_fails_gives_back_what_was_to_be_removed(
    production: Production, plain: SnapshotReader, tmp_path: Path
) -> None:
    damaged = replace(plain, storage=LocalStorage(tmp_path / "damaged"))
    shutil.copytree(production.elsewhere("plain-00000000").layout.snapshots, tmp_path / "damaged")
    ref = plain.contents.parts[table_label("raw.orders")][-1]
    file = tmp_path / "damaged" / plain.keys.name(*ref.identity)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with database(production.connection, "scratch") as dsn:
        with connect(production.connection, "scratch") as admin:
            admin.execute(b"CREATE TABLE mine AS SELECT 42 AS answer")
        with pytest.raises(VerificationError, match="does not have the recorded content"):
            restore(dsn, damaged, emptied=True)
        assert rows(production.connection, "scratch", "SELECT answer FROM mine") == [(42,)]
        assert rows(production.connection, "scratch", "SELECT to_regnamespace('raw')") == [(None,)]


def test_a_restore_that_is_killed_leaves_nothing_and_the_next_one_succeeds(
    production: Production, plain: SnapshotReader
) -> None:
    script = (
        "import os, pickle, signal, sys\n"
        "from dataops.snapshots.restore_into import restore_into\n"
        "from dataops.snapshots.target import open_target\n"
        "dsn, snapshot, tables = pickle.load(sys.stdin.buffer)\n"
        "def tell(progress):\n"
        "    if progress.tables[0] == tables:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "with open_target(dsn, ()) as target:\n"
        "    restore_into(snapshot, target, emptied=False, tell=tell)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    import pickle

    with database(production.connection, "scratch") as dsn:
        for tables in (1, 2, 99):  # the last is killed with everything done, but for the end of the transaction
            told = pickle.dumps((dsn, plain, tables))
            done = subprocess.run([sys.executable, "-c", script], input=told, check=False)
            assert done.returncode == -signal.SIGKILL
            assert rows(production.connection, "scratch", "SELECT to_regnamespace('raw')") == [(None,)]
        while True:
            try:
                restore(dsn, plain)
                break
            except LockedError:  # the server is about to find out that the killed one is gone
                continue
        assert rows(production.connection, "scratch", "SELECT count(*) FROM raw.lines") == [(500,)]


def test_two_restores_into_one_database_do_not_meet(production: Production, plain: SnapshotReader) -> None:
    with database(production.connection, "scratch") as dsn:
        with open_target(dsn, ()), pytest.raises(LockedError, match="somebody restores a snapshot into scratch"):
            restore(dsn, plain)
        restore(dsn, plain)


@pytest.mark.parametrize(
    ("dsn", "production_at"),
    [
        ("postgresql://me@db.prod.example.com/x", "db.prod.example.com"),
        ("host=a,DB.prod.example.com port=1,2 dbname=x", "db.prod.example.com"),
        ("postgresql://127.0.0.1:20001/x", "127.0.0.1:20001"),
        ("port=20001 dbname=x", "127.0.0.1:20001"),
        ("host=/tmp/sockets dbname=x", "file:///tmp/sockets"),
        ("hostaddr=127.0.0.1 host=innocent port=20001", "127.0.0.1:20001"),
    ],
)
def test_production_is_refused_in_every_spelling_before_anybody_connects(dsn: str, production_at: str) -> None:
    with pytest.raises(PolicyError, match="the database is production's"):
        refuse_production(dsn, [production_at])
    refuse_production(dsn, ["other.example.com", "127.0.0.1:20009"])


def test_where_a_variable_leads_to_production_that_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.prod.example.com")
    with pytest.raises(PolicyError, match="the database is production's"):
        refuse_production("postgresql:///x", ["db.prod.example.com"])


def test_the_cluster_of_production_is_recognised_however_it_was_reached(production: Production) -> None:
    found = rows(production.connection, "postgres", "SELECT system_identifier::text FROM pg_control_system()")
    with database(production.connection, "scratch") as dsn:
        with pytest.raises(PolicyError, match="is production's"), open_target(dsn, [found[0][0]]):
            pass


def test_extensions_and_roles_that_the_server_lacks_are_all_named(production: Production) -> None:
    script = b'CREATE EXTENSION IF NOT EXISTS "no-such" WITH SCHEMA public;\nCREATE EXTENSION IF NOT EXISTS citext;\n'
    policies = (
        b'CREATE POLICY p ON raw.t TO nobody_yet, "Team B" USING ((a > 0));\n'
        b"CREATE POLICY q ON raw.t FOR INSERT TO PUBLIC, postgres WITH CHECK (true);\n"
    )
    with database(production.connection, "scratch") as dsn, open_target(dsn, ()) as target:
        with pytest.raises(NotFoundError, match="the extensions no-such"):
            require_extensions(target, script)
        with pytest.raises(NotFoundError, match="roles that the schema names: Team B, nobody_yet") as raised:
            require_roles(target, policies)
        assert raised.value.hint == 'CREATE ROLE "Team B"; CREATE ROLE "nobody_yet"'


if older := older_postgres():

    @pytest.fixture(scope="module")
    def server() -> Iterator[dict[str, Any]]:
        with open_directory() as folder, older_cluster(Path(str(older)), folder) as connection:
            yield connection

    def test_an_older_server_takes_a_schema_that_it_can_load(server: dict[str, Any], plain: SnapshotReader) -> None:
        with database(server, "scratch") as dsn:
            restore(dsn, plain)
            assert rows(server, "scratch", "SELECT total FROM raw.sum") == [(125250,)]

    def test_an_older_server_that_cannot_load_the_schema_is_told_with_both_versions(
        server: dict[str, Any], production: Production
    ) -> None:
        where = production.elsewhere("newer-00000000")
        with database(production.connection, "newer"):
            with connect(production.connection, "newer") as admin:
                admin.execute(b"CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)")
            manifest = capture(
                platform({"tables": {"public.t": {"keep": ["a", "b"]}}}),
                where.connection, "newer", where.lake.parent / "no-lake", where.layout, "c0ffee", "production",
                CaptureOptions(),
            )  # fmt: skip
        with database(server, "scratch") as dsn:
            both = r"is of PostgreSQL 18\.\d+, the server is PostgreSQL 1[0-7]\."
            with pytest.raises(DataopsError, match=both) as raised:
                restore(dsn, opened(where.layout, manifest))
            assert "or newer" in (raised.value.hint or "")
            assert rows(server, "scratch", "SELECT to_regclass('t')") == [(None,)]
