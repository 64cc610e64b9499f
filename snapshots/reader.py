"""Reading rows in a snapshot of the database that another connection holds."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO, Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.commands import last_lines
from dataops.infra.process.environment import child_environment
from dataops.infra.process.postgres_binaries import PostgresBinaries
from dataops.snapshots.catalogue import SourceTable
from dataops.snapshots.ranges import TID_RANGES, WHOLE, Range
from dataops.snapshots.subsets.selection import Selection

LARGEST_BLOCK, SMALLEST_BLOCK, BLOCKS = 4 << 20, 1 << 20, 16 << 20
"""Bytes of rows that are masked together: at most, at least, and by all workers."""
LOCK_SECONDS = 60
PROOF = "dataops-proof "
CONNECTION_BAD = 2
"""The exit status of `psql` when the server went away, or could not be reached."""
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
    "default_transaction_read_only": "on",
    "row_security": "off",
    # a large table is read from its beginning, so that the same rows come in the same order each time
    "synchronize_seqscans": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


def session_settings(lock_seconds: float) -> dict[str, str]:
    """What every session that reads is set to."""
    # behind somebody who waits to change a table that we hold already, we would wait forever
    return {**SESSION, "lock_timeout": f"{round(lock_seconds * 1000)}ms"}


# a run of pages is read as such, whatever else the planner thinks of
_PLANNING = {"enable_seqscan": "off", "jit": "off"}
BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def _silent(proof: str) -> None:
    """Says nothing."""


class ConnectionLostError(ResourceError):
    """The server cannot be reached, or ended the session."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tables as they were at one moment.

    Args:
        server: how to connect: `host`, `port`, `user` and perhaps `password`.
        database: its name.
        snapshot: the name of an exported snapshot; whoever exported it holds it.
        binaries: for `psql`.
        server_version: of the server, as `server_version_num`.
        block: bytes of rows that are read at a time.
        lock_seconds: how long to wait behind somebody who waits to change a table.
    """

    server: Mapping[str, Any] = field(repr=False)
    database: str
    snapshot: str
    binaries: PostgresBinaries
    server_version: int = TID_RANGES
    lock_seconds: float = LOCK_SECONDS
    block: int = LARGEST_BLOCK

    def shared(self, workers: int) -> Reader:
        """The same for each of so many workers, which read less at a time the more there are."""
        return replace(self, block=min(LARGEST_BLOCK, max(SMALLEST_BLOCK, BLOCKS // workers)))

    def rows(
        self,
        table: SourceTable,
        columns: Sequence[str],
        part: Range | Selection = WHOLE,
        tell: Callable[[str], None] = _silent,
    ) -> Iterator[bytes]:
        """The rows of a table, or some of them, as COPY text, in pieces that end with a row.

        `psql` reads it, because fetching row by row in Python is slow and starves the threads beside it.

        Args:
            tell: called at the end with what proves these rows, if there is something; see `prove`.

        Raises:
            ConnectionLostError: the server cannot be reached any more.
            ResourceError: the server refuses.
        """
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as script:
            # in a file, since a long one would be waited for by psql, and its rows by us
            script.write(self._beginning())
            for statement in _copies(table, columns, part, self.server_version):
                script.write(statement.encode())
            if isinstance(part, Range) and (proof := self._proof(table, part)):
                script.write(f"{proof} \\gset\n\\warn {PROOF}:proof\n".encode())
            script.write(b"COMMIT;\n")
            script.seek(0)
            with self._psql(script, errors) as process:
                assert process.stdout is not None
                read = partial(process.stdout.read, self.block)
                try:
                    yield from whole_rows(iter(read, b""))
                except BaseException:
                    process.kill()
                    raise
            errors.seek(0)
            said = errors.read().decode(errors="replace")
        self._check(process.returncode, said, table)
        for line in said.splitlines():
            if line.startswith(PROOF):
                tell(line.removeprefix(PROOF))

    def prove(self, table: SourceTable, part: Range) -> str | None:
        """What tells the rows on these pages from all that could be there at another moment; None where nothing does.

        A row that is written, even unchanged, has the number of another transaction or stands at another place.
        """
        proof = self._proof(table, part)
        if proof is None:
            return None
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as script:
            script.write(self._beginning() + f"{proof} \\gset\n\\echo :proof\nCOMMIT;\n".encode())
            script.seek(0)
            with self._psql(script, errors) as process:
                out, _ = process.communicate()
            errors.seek(0)
            self._check(process.returncode, errors.read().decode(errors="replace"), table)
        return str(out.decode().strip())

    def _proof(self, table: SourceTable, part: Range) -> str | None:
        if not table.pages or any(column.type.startswith("reg") for column in table.columns):
            return None  # what `regclass` and the like show changes without the row
        name = f"{_quoted(table.schema)}.{_quoted(table.name)}"
        place = "" if part.whole else f" WHERE {part.condition(self.server_version)}"
        if self.server_version >= TID_RANGES:  # which hash places as they are, in half the time
            total = "sum(hashtidextended(ctid, xmin::text::bigint))"
        else:
            total = "sum(hashtextextended(ctid::text || ' ' || xmin::text, 0))"
        return f"SELECT concat_ws(' ', {table.filenode}, count(*), {total}) AS proof FROM ONLY {name}{place}"

    def _beginning(self) -> bytes:
        settings = "".join(
            f"SET {name} = '{value}';\n" for name, value in {**session_settings(self.lock_seconds), **_PLANNING}.items()
        )
        return f"{settings}{BEGIN};\nSET TRANSACTION SNAPSHOT '{self.snapshot}';\n".encode()

    def _psql(self, script: IO[bytes], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [str(self.binaries.path("psql")), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
        # terse and without context: those would quote rows
        command += ["--set=VERBOSITY=terse", "--set=SHOW_CONTEXT=never", *self.target()]
        return subprocess.Popen(
            command,
            stdin=script,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=child_environment(self.secrets()),
        )

    def _check(self, status: int, said: str, table: SourceTable) -> None:
        if status == 0:
            return
        what, details = f"reading {table.label} in the database {self.database} failed", last_lines(said, 3)
        if status == CONNECTION_BAD:
            hint = "capture again: it goes on where it stopped"
            raise ConnectionLostError(f"{what}: the connection was lost", hint=hint, details=details)
        raise ResourceError(what, details=details)

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


def _copies(table: SourceTable, columns: Sequence[str], part: Range | Selection, server_version: int) -> Iterator[str]:
    """The statements that give the rows of a table, one after the other."""
    name, otherwise = f"{_quoted(table.schema)}.{_quoted(table.name)}", {c.name: c.read_as for c in table.columns}
    listed = ", ".join(otherwise.get(column) or _quoted(column) for column in columns)
    query = f"SELECT {listed} FROM ONLY {name}"
    if isinstance(part, Selection):
        for rows in part.literals():
            yield f"COPY ({query} WHERE ctid = ANY ({rows})) TO STDOUT;\n"
    elif part.whole and any(map(otherwise.get, columns)):
        yield f"COPY ({query}) TO STDOUT;\n"
    elif part.whole:
        yield f"COPY {name}{f' ({listed})' if listed else ''} TO STDOUT;\n"
    else:
        yield f"COPY ({query} WHERE {part.condition(server_version)}) TO STDOUT;\n"


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
