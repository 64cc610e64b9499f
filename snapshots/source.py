"""The database that is captured: one read-only snapshot of it, seen by several connections and by `pg_dump`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import DataopsError, LockedError, ResourceError, VerificationError
from dataops.infra.process.commands import CommandError, run_command
from dataops.infra.process.postgres_binaries import PostgresBinaries
from dataops.infra.process.postgres_connection import connect, postgres_errors
from dataops.infra.process.tls_bridge import PORT, TlsBridge
from dataops.snapshots.catalogue import Catalogue, SourceTable, read_catalogue
from dataops.snapshots.hygiene import without_links
from dataops.snapshots.large_objects import SCHEMA as SYSTEM
from dataops.snapshots.large_objects import with_large_objects
from dataops.snapshots.manifest import SequenceEntry
from dataops.snapshots.reader import BEGIN, LOCK_SECONDS, ConnectionLostError, Reader, session_settings

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

ATTEMPTS = 3
OLDEST = 120000
"""The oldest version whose catalogue is as we read it, as `server_version_num`."""
_STATE = """
SELECT pg_export_snapshot(), to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text,
       current_setting('server_version_num')::int"""
_WAITING = """
SELECT relation::regclass::text, pid FROM pg_locks WHERE NOT granted AND relation = ANY(%s)
  AND pg_backend_pid() = ANY(pg_blocking_pids(pid)) ORDER BY pid LIMIT 1"""
_DUMP = (
    "--schema-only",
    "--no-owner",
    "--no-privileges",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
    "--no-tablespaces",
    "--no-statistics",  # they quote the most common values
    "--no-password",
    "--encoding=UTF8",
)


@dataclass(frozen=True, slots=True)
class Source:
    """A database as it was at one moment.

    Args:
        server: how we connect to it.
        reader: reads its tables in the snapshot.
        leader: the connection that holds the snapshot.
        created, lsn, server_version: when, at which position in the log, and by which server it was taken.
        catalogue: what the database consists of.
        since: when it was taken, by the monotonic clock.
    """

    server: Mapping[str, Any] = field(repr=False)
    reader: Reader
    leader: Connection
    created: str
    lsn: str
    server_version: int
    catalogue: Catalogue
    since: float

    def dump(self, section: str) -> bytes:
        """The schema as SQL: the section `pre-data`, which precedes the rows, or `post-data`. From any thread.

        Raises:
            LockedError: somebody waits for our locks, so that we would wait for them; names the table.
            ResourceError: the server refuses.
        """
        reader = self.reader
        try:
            result = run_command(
                [
                    reader.binaries.path("pg_dump"),
                    *_DUMP,
                    f"--lock-wait-timeout={round(reader.lock_seconds * 1000)}",
                    f"--section={section}",
                    f"--snapshot={reader.snapshot}",
                    *reader.target(),
                ],
                purpose=f"read the schema of {reader.database}",
                environment=reader.secrets(),
            )
        except CommandError as error:
            self.check_unhindered(error)
            raise
        return without_links(result.stdout.encode())

    def sequences(self) -> dict[str, SequenceEntry]:
        """Where the sequences stand; at least as far as the rows of the snapshot use them."""
        from psycopg import sql

        entries = {}
        for schema, name in self.catalogue.sequences:
            query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
            row = self.leader.execute(query).fetchone()
            if row is not None:
                entries[f"{schema}.{name}"] = SequenceEntry(row[0], row[1])
        return entries

    def check_alive(self) -> None:
        """Whether the snapshot can still be read.

        Raises:
            ConnectionLostError: it cannot: the session that holds it is gone.
        """
        import psycopg

        try:
            self.leader.execute("SELECT 1")
        except psycopg.OperationalError:
            raise ConnectionLostError(
                f"the connection to the database {self.reader.database} was lost while it was captured",
                hint="capture again: it goes on where it stopped",
            ) from None

    def check_unhindered(self, failed: DataopsError) -> None:
        """Whether a worker failed since somebody waits for our locks: it had to wait behind them, and they for us.

        Raises:
            LockedError: somebody does; names the table.
        """
        oids = [table.oid for table in self.catalogue.tables]
        found = self.leader.execute(_WAITING, (oids,)).fetchone()
        if found is not None:
            raise LockedError(
                f"somebody waits to change {found[0]} while it is captured",
                where=f"process {found[1]} of the server",
                hint="let them go first, then capture again: it goes on where it stopped",
                details=failed.details,
            )

    def check_unchanged(self) -> None:
        """Whether the tables are still called what the policy was set against: a schema can be renamed despite locks.

        Raises:
            VerificationError: a table or a column is now another one than when the snapshot was taken.
        """
        if not _unchanged(self.server, self.reader.database, self.catalogue):
            raise _restless(self.reader.database)


@contextmanager
def open_source(
    server: Mapping[str, Any], database: str, binaries: PostgresBinaries, lock_seconds: float = LOCK_SECONDS
) -> Iterator[Source]:
    """Takes a snapshot of a database and holds it, with its tables locked against changes of their structure.

    Rows are read consistently, but changes of structure and TRUNCATE are not subject to snapshots. So tables are
    locked and looked at again; if one changed meanwhile, a new snapshot is taken.

    Args:
        lock_seconds: how long to wait for whoever changes a table, or waits to.

    Raises:
        ResourceError: the server cannot be reached, or refuses.
        VerificationError: the structure kept changing.
    """
    for _ in range(ATTEMPTS):
        with ExitStack() as stack:
            leader = stack.enter_context(_session(server, database, lock_seconds))
            leader.execute(BEGIN)
            row, since = leader.execute(_STATE).fetchone(), time.monotonic()
            if row is None:
                raise ResourceError("the server gave no snapshot")
            if row[3] < OLDEST:
                raise ResourceError(
                    f"the server is PostgreSQL {row[3] // 10000}, which cannot be captured",
                    hint=f"capture from PostgreSQL {OLDEST // 10000} or newer",
                )
            catalogue = read_catalogue(leader)
            if not _lock(leader, catalogue) or not _unchanged(server, database, catalogue):
                continue
            programs = _for_programs(server, leader, stack)
            reader = Reader(programs, database, row[0], binaries, row[3], lock_seconds)
            whole = with_large_objects(catalogue, leader)
            yield Source(server, reader, leader, row[1], row[2], row[3], whole, since)
            return
    raise _restless(database)


def _for_programs(server: Mapping[str, Any], leader: Connection, stack: ExitStack) -> Mapping[str, Any]:
    """How Postgres' programs connect: ours have no TLS."""
    known = {**server, "password": leader.info.password}  # it may be from a file that is for us alone
    if not leader.pgconn.ssl_in_use:
        return known
    bridge = TlsBridge(str(server["host"]), int(server["port"]), server["tls"])
    return {**known, "host": str(stack.enter_context(bridge)), "port": PORT}


def _restless(database: str) -> VerificationError:
    return VerificationError(
        f"the structure of {database} changed while it was captured", hint="capture again when it rests"
    )


@contextmanager
def _session(server: Mapping[str, Any], database: str, lock_seconds: float = LOCK_SECONDS) -> Iterator[Connection]:
    with connect(server, database) as connection, postgres_errors(f"reading the database {database}"):
        for name, value in session_settings(lock_seconds).items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        yield connection


def _lock(connection: Connection, catalogue: Catalogue) -> bool:
    """Locks all tables against changes of structure; False when one is gone already."""
    from psycopg import errors, sql

    names = [sql.Identifier(table.schema, table.name) for table in catalogue.tables]
    try:
        for start in range(0, len(names), 100):
            some = sql.SQL(", ONLY ").join(names[start : start + 100])
            connection.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS SHARE MODE").format(some))
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return False
    return True


def _unchanged(server: Mapping[str, Any], database: str, catalogue: Catalogue) -> bool:
    """Whether the tables of the snapshot still have the same names, rows and columns.

    Rows and the catalogue are read as of the snapshot, but names are looked up as of now: where two columns, tables or
    schemas swapped their names since, the rules of one would be put on the other.
    """
    with _session(server, database) as connection, connection.transaction():
        now = {table.oid: _sizeless(table) for table in read_catalogue(connection).tables}
    own = (table for table in catalogue.tables if table.schema != SYSTEM)  # nobody renames those of the system
    return all(now.get(table.oid) == _sizeless(table) for table in own)


def _sizeless(table: SourceTable) -> SourceTable:
    return replace(table, bytes=0, pages=0)
