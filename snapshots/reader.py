"""Reading rows in a snapshot of the database that another connection holds."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.commands import last_lines
from dataops.infra.process.environment import child_environment
from dataops.infra.process.postgres_binaries import PostgresBinaries
from dataops.snapshots.subsets.selection import Selection

BLOCK = 4 << 20
LOCK_SECONDS = 60
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
SESSION = {
    **TEXT_FORM,
    "row_security": "off",
    # a large table is read from its beginning, so that the same rows come in the same order each time
    "synchronize_seqscans": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # behind somebody who waits to change a table that we hold already, we would wait forever
    "lock_timeout": f"{LOCK_SECONDS}s",
}
BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tables as they were at one moment.

    Args:
        server: how to connect: `host`, `port`, `user` and perhaps `password`.
        database: its name.
        snapshot: the name of an exported snapshot; whoever exported it holds it.
        binaries: for `psql`.
    """

    server: Mapping[str, Any] = field(repr=False)
    database: str
    snapshot: str
    binaries: PostgresBinaries

    def rows(
        self, schema: str, table: str, columns: Sequence[str], selection: Selection | None = None
    ) -> Iterator[bytes]:
        """The rows of a table, or some of them, as COPY text, in pieces that end with a row.

        `psql` reads it, because fetching row by row in Python is slow and starves the threads beside it.

        Raises:
            ResourceError: the server refuses.
        """
        settings = "".join(f"SET {name} = '{value}';\n" for name, value in SESSION.items())
        command = [str(self.binaries.path("psql")), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
        # terse and without context: those would quote rows
        command += ["--set=VERBOSITY=terse", "--set=SHOW_CONTEXT=never", *self.target()]
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as script:
            # in a file, since a long one would be waited for by psql, and its rows by us
            script.write(f"{settings}{BEGIN};\nSET TRANSACTION SNAPSHOT '{self.snapshot}';\n".encode())
            for statement in _copies(schema, table, columns, selection):
                script.write(statement.encode())
            script.write(b"COMMIT;\n")
            script.seek(0)
            with subprocess.Popen(
                command,
                stdin=script,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=child_environment(self.secrets()),
            ) as process:
                assert process.stdout is not None
                read = partial(process.stdout.read, BLOCK)
                try:
                    yield from whole_rows(iter(read, b""))
                except BaseException:
                    process.kill()
                    raise
            if process.returncode != 0:
                errors.seek(0)
                said = last_lines(errors.read().decode(errors="replace"), 3)
                raise ResourceError(f"reading {schema}.{table} in the database {self.database} failed", details=said)

    def target(self) -> list[str]:
        """The options of Postgres' programs that say what to connect to."""
        server = self.server
        return [
            f"--host={server['host']}",
            f"--port={server['port']}",
            f"--username={server['user']}",
            f"--dbname={self.database}",
        ]

    def secrets(self) -> dict[str, str]:
        """The variables of Postgres' programs that must not be arguments."""
        password = self.server.get("password")
        return {"PGPASSWORD": str(password)} if password else {}


def _copies(schema: str, table: str, columns: Sequence[str], selection: Selection | None) -> Iterator[str]:
    """The statements that give the rows of a table, one after the other."""
    listed = ", ".join(map(_quoted, columns))
    if selection is None:
        yield f"COPY {_quoted(schema)}.{_quoted(table)}{f' ({listed})' if listed else ''} TO STDOUT;\n"
        return
    query = f"SELECT {listed} FROM ONLY {_quoted(schema)}.{_quoted(table)} WHERE ctid = ANY"
    for rows in selection.literals():
        yield f"COPY ({query} ({rows})) TO STDOUT;\n"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def whole_rows(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of COPY text in pieces that end with a newline, which it has at the end of rows only."""
    rest: list[bytes] = []  # of a row that may be larger than many blocks
    for block in blocks:
        cut = block.rfind(b"\n") + 1
        if cut:
            yield b"".join([*rest, block[:cut]])
            rest = []
        rest.append(block[cut:])
