"""Restoring a snapshot into an empty server: schema, rows, indexes, sequences; then everything counted.

All objects come to belong to the role `warehouse_owner`, which is a superuser only while the schema is restored, so
that it can create extensions.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from dataops.infra.errors import ResourceError, VerificationError
from dataops.infra.process.commands import last_lines
from dataops.infra.process.environment import child_environment
from dataops.infra.process.postgres_binaries import PostgresBinaries
from dataops.infra.process.postgres_connection import connect, postgres_errors
from dataops.snapshots.ahead import ahead
from dataops.snapshots.binary_rows import Ask, asking, binary_rows, is_worthwhile, typed_columns
from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.large_objects import load_large_objects, tables_of
from dataops.snapshots.manifest import POST_DATA, PRE_DATA, Manifest, TableEntry, table_label
from dataops.snapshots.reader import TEXT_FORM
from dataops.snapshots.schema_steps import schema_steps
from dataops.snapshots.views import fill_views

if TYPE_CHECKING:
    from psycopg import sql

    from dataops.snapshots.catalogue import Connection

OWNER = "warehouse_owner"
MARK = "dataops snapshot"
WORKERS = 2
SERVER_SETTINGS: Mapping[str, object] = {
    # the directory is synced as a whole before it is published, and thrown away if anything fails before
    "fsync": False,
    "synchronous_commit": False,
    "full_page_writes": False,
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "autovacuum": False,
    "max_connections": 20,
    "max_wal_size": "4GB",
    "maintenance_work_mem": "256MB",
    "work_mem": "128MB",
    "shared_buffers": "512MB",
    "jit": False,
}


def mark_of(manifest: Manifest) -> str:
    """The comment on a restored database, by which a clone tells what it was made of."""
    return f"{MARK} {manifest.id} {manifest.hash}"


def restore(
    snapshot: SnapshotReader,
    server: Mapping[str, Any],
    binaries: PostgresBinaries,
    loaded: Callable[[], object],
) -> None:
    """Restores the warehouse of a snapshot.

    Args:
        snapshot: the snapshot.
        server: how the superuser connects to an empty server.
        binaries: for `psql`.
        loaded: called when all rows are there, before indexes are built.

    Raises:
        VerificationError: a chunk or the restored data is not as the manifest says.
        ResourceError: the server refuses something.
    """
    from psycopg import sql

    manifest = snapshot.manifest
    database = sql.Identifier(manifest.database)
    with connect(server) as admin, postgres_errors(f"restoring the snapshot {manifest.id}"):
        admin.execute(f"CREATE ROLE {OWNER} SUPERUSER NOLOGIN".encode())
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, sql.Identifier(OWNER)))
        run = partial(_run_script, manifest, server, binaries)
        run(b"".join(snapshot.read(PRE_DATA)))
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="restore") as pool:
            objects = pool.submit(_make_large_objects, snapshot, server)
            largest_first = sorted(tables_of(manifest).items(), key=lambda item: -item[1].bytes)
            list(pool.map(lambda item: _copy_in(snapshot, server, *item), largest_first))
            objects.result()
            loaded()
            with connect(server, manifest.database) as connection:
                _set_sequences(connection, manifest)
            sizes = {label: entry.bytes for label, entry in manifest.tables.items()}
            for step in schema_steps(b"".join(snapshot.read(POST_DATA)), sizes):
                list(pool.map(run, step.scripts))
        with connect(server, manifest.database) as connection:
            connection.execute("SELECT set_config('search_path', '', false)")
            fill_views(connection, manifest)
            connection.execute("VACUUM (FREEZE, ANALYZE)")
            _count_rows(connection, manifest)
        admin.execute(f"ALTER ROLE {OWNER} NOSUPERUSER".encode())
        mark = sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(mark_of(manifest)))
        admin.execute(mark)


def _name(label: str) -> sql.Identifier:
    from psycopg import sql

    return sql.Identifier(*label.split(".", 1))


def _run_script(manifest: Manifest, server: Mapping[str, Any], binaries: PostgresBinaries, script: bytes) -> None:
    """Runs a part of the schema as the owner. Uses psql, whose own commands `pg_dump` writes."""
    done = subprocess.run(
        [
            *(str(binaries.path("psql")), "--no-psqlrc", "--quiet", "--no-password"),
            *("--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"),
            *(f"--host={server['host']}", f"--port={server['port']}", f"--username={server['user']}"),
            f"--dbname={manifest.database}",
        ],
        input=script,
        env=child_environment({"PGOPTIONS": f"-c role={OWNER} -c client_min_messages=warning"}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        raise ResourceError(
            f"the schema of the snapshot {manifest.id} could not be restored",
            details=last_lines(done.stderr.decode(errors="replace")),
        )


def _copy_in(snapshot: SnapshotReader, server: Mapping[str, Any], label: str, entry: TableEntry) -> None:
    from psycopg import sql

    manifest, name = snapshot.manifest, _name(label)
    columns = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Identifier, entry.columns)))
    with (
        _text_session(server, manifest) as connection,
        asking(partial(_text_session, server, manifest)) as ask,
        postgres_errors(f"restoring {label} of the snapshot {manifest.id}"),
        connection.transaction(),
    ):
        # emptied in the same transaction, rows can be written frozen and without a log
        connection.execute(sql.SQL("TRUNCATE ONLY {}").format(name))
        form, rows = _rows(snapshot, label, entry, connection, ask)
        query = sql.SQL("COPY {} {} FROM STDIN (FREEZE, FORMAT {})").format(
            name, columns if entry.columns else sql.SQL(""), sql.SQL(form)
        )
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            for piece in rows:
                copy.write(piece)


def _rows(
    snapshot: SnapshotReader, label: str, entry: TableEntry, connection: Connection, ask: Ask
) -> tuple[Literal["binary", "text"], Iterator[Any]]:
    """The rows of a table in the form in which the server loads them fastest, and which one that is."""
    pieces = ahead(snapshot.read(table_label(label)))
    first = next(pieces, b"")
    rows = chain([first], pieces)
    sizes = [ref.size for ref in snapshot.contents.parts[table_label(label)]]
    if is_worthwhile(sizes, first, len(entry.columns)):
        typed = typed_columns(connection, _name(label).as_string(connection), entry.columns)
        if typed:
            return "binary", ahead(binary_rows(rows, typed, ask))
    return "text", rows


@contextmanager
def _text_session(server: Mapping[str, Any], manifest: Manifest) -> Iterator[Connection]:
    """A session that reads values as they were written."""
    with connect(server, manifest.database) as connection:
        for name, value in TEXT_FORM.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        yield connection


def _make_large_objects(snapshot: SnapshotReader, server: Mapping[str, Any]) -> None:
    manifest = snapshot.manifest
    with (
        connect(server, manifest.database) as connection,
        postgres_errors(f"restoring the large objects of the snapshot {manifest.id}"),
    ):
        connection.execute(f"SET ROLE {OWNER}".encode())
        load_large_objects(connection, snapshot)


def _set_sequences(connection: Connection, manifest: Manifest) -> None:
    for label, entry in manifest.sequences.items():
        name = _name(label).as_string(connection)
        connection.execute("SELECT pg_catalog.setval(%s::regclass, %s, %s)", (name, entry.last, entry.called))


def _count_rows(connection: Connection, manifest: Manifest) -> None:
    from psycopg import sql

    for label, entry in tables_of(manifest).items():
        row = connection.execute(sql.SQL("SELECT count(*) FROM ONLY {}").format(_name(label))).fetchone()
        if row is None or row[0] != entry.rows:
            found = row[0] if row else 0
            raise VerificationError(
                f"{label} has {found:,} rows after the restore, the snapshot {manifest.id} has {entry.rows:,}"
            )
