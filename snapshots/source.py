"""The database that is captured: one read-only snapshot of it, seen by several connections and by `pg_dump`."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from dataops.infra.errors import ResourceError, VerificationError
from dataops.infra.process.commands import last_lines, run_command
from dataops.infra.process.environment import child_environment
from dataops.infra.process.postgres_binaries import PostgresBinaries
from dataops.infra.process.postgres_connection import connect, postgres_errors
from dataops.snapshots.catalogue import Catalogue, read_catalogue
from dataops.snapshots.manifest import SequenceEntry

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

ATTEMPTS = 3
LOCK_SECONDS = 60
BLOCK = 1 << 20
# what decides how values are written as text; restoring sets the same
TEXT_FORM = {
    "client_encoding": "UTF8",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "lc_monetary": "C",
    "search_path": "",
}
_SESSION = {**TEXT_FORM, "row_security": "off", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_STATE = """
SELECT pg_export_snapshot(), to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text,
       current_setting('server_version_num')::int"""
_FILENODES = "SELECT oid, relfilenode FROM pg_class WHERE oid = ANY(%s)"
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
        server: how to connect to it: `host`, `port`, `user` and perhaps `password`.
        database: its name.
        leader: the connection that holds the snapshot.
        snapshot: the exported snapshot's name.
        created, lsn, server_version: when, at which position in the log, and by which server it was taken.
        catalogue: what the database consists of.
    """

    server: Mapping[str, Any]
    database: str
    leader: Connection
    snapshot: str
    created: str
    lsn: str
    server_version: int
    catalogue: Catalogue

    def rows(self, query: str, binaries: PostgresBinaries) -> Iterator[bytes]:
        """What a COPY statement writes, in the snapshot, in pieces that end with a row.

        `psql` reads it, because fetching row by row in Python is slow and starves the threads beside it.

        Raises:
            ResourceError: the server refuses.
        """
        settings = "".join(f"SET {name} = '{value}';\n" for name, value in _SESSION.items())
        script = f"{settings}{_BEGIN};\nSET TRANSACTION SNAPSHOT '{self.snapshot}';\n{query};\nCOMMIT;\n"
        command = [str(binaries.path("psql")), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
        command += ["--set=VERBOSITY=terse", *self._target()]
        with tempfile.TemporaryFile() as errors:
            with subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=child_environment(self._secrets()),
            ) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                try:
                    process.stdin.write(script.encode())
                    process.stdin.close()
                    yield from _whole_rows(process.stdout)
                except BaseException:
                    process.kill()
                    raise
            if process.returncode != 0:
                errors.seek(0)
                said = last_lines(errors.read().decode(errors="replace"), 3)
                raise ResourceError(f"reading the database {self.database} failed", details=said)

    def _target(self) -> list[str]:
        server = self.server
        return [
            f"--host={server['host']}",
            f"--port={server['port']}",
            f"--username={server['user']}",
            f"--dbname={self.database}",
        ]

    def _secrets(self) -> dict[str, str]:
        password = self.server.get("password")
        return {"PGPASSWORD": str(password)} if password else {}

    def dump(self, section: str, binaries: PostgresBinaries) -> bytes:
        """The schema as SQL: the section `pre-data`, which precedes the rows, or `post-data`."""
        result = run_command(
            [
                binaries.path("pg_dump"),
                *_DUMP,
                f"--section={section}",
                f"--snapshot={self.snapshot}",
                *self._target(),
            ],
            purpose=f"read the schema of {self.database}",
            environment=self._secrets(),
        )
        return result.stdout.encode()

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


def _whole_rows(stream: IO[bytes]) -> Iterator[bytes]:
    """A stream in pieces of about a megabyte that end with a newline, which COPY text has at the end of rows only."""
    rest = b""
    while block := stream.read(BLOCK):
        cut = block.rfind(b"\n") + 1
        if cut:
            yield rest + block[:cut]
            rest = block[cut:]
        else:
            rest += block


@contextmanager
def open_source(server: Mapping[str, Any], database: str) -> Iterator[Source]:
    """Takes a snapshot of a database and holds it, with its tables locked against changes of their structure.

    Rows are read consistently, but changes of structure and TRUNCATE are not subject to snapshots. So tables are
    locked and looked at again; if one changed meanwhile, a new snapshot is taken.

    Raises:
        ResourceError: the server cannot be reached, or refuses.
        VerificationError: the structure kept changing.
    """
    for _ in range(ATTEMPTS):
        with ExitStack() as stack:
            leader = stack.enter_context(_session(server, database))
            leader.execute(_BEGIN)
            row = leader.execute(_STATE).fetchone()
            if row is None:
                raise ResourceError("the server gave no snapshot")
            catalogue = read_catalogue(leader)
            if not _lock(leader, catalogue) or not _unchanged(server, database, catalogue):
                continue
            yield Source(server, database, leader, row[0], row[1], row[2], row[3], catalogue)
            return
    raise VerificationError(
        f"the structure of {database} kept changing while it was captured", hint="capture again when it rests"
    )


@contextmanager
def _session(server: Mapping[str, Any], database: str) -> Iterator[Connection]:
    with connect(server, database) as connection, postgres_errors(f"reading the database {database}"):
        for name, value in _SESSION.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        yield connection


def _lock(connection: Connection, catalogue: Catalogue) -> bool:
    """Locks all tables against changes of structure; False when one is gone already."""
    from psycopg import errors, sql

    connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'".encode())
    names = [sql.Identifier(table.schema, table.name) for table in catalogue.tables]
    try:
        for start in range(0, len(names), 100):
            some = sql.SQL(", ONLY ").join(names[start : start + 100])
            connection.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS SHARE MODE").format(some))
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return False
    return True


def _unchanged(server: Mapping[str, Any], database: str, catalogue: Catalogue) -> bool:
    """Whether the tables that are locked now are still those of the snapshot."""
    then = {table.oid: table.filenode for table in catalogue.tables}
    with _session(server, database) as connection:
        return then == dict(connection.execute(_FILENODES, (list(then),)).fetchall())
