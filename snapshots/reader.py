"""Reading rows in a snapshot of the database that another connection holds.

`psql` reads them, because fetching row by row in Python is slow and starves the threads beside it. One of them serves a
worker for all that it reads: to start one, and a server process for it, takes as long as reading some thousand rows.
"""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import IO, Any, Self

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
PIPE = 1 << 20
"""Bytes that may wait between `psql` and us, where the system allows it."""
LITTLE, GATHERING = 1 << 16, 0.0005
"""What is little at once, in bytes, and how many seconds it takes to become much."""
MARK = b"\v"
END = MARK + b"\n"
"""What `psql` is told to say after rows, as `\\013`: COPY escapes it in them."""
XID_HASHES = 180000
"""The first version of Postgres that hashes the numbers of transactions."""
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

    def session(self) -> RowSession:
        """A session that reads."""
        return RowSession(self)

    def proof(self, table: SourceTable, part: Range) -> str | None:
        """The query for what tells the rows on these pages from all that could be there at another moment, if any.

        A row that is written, even unchanged, has the number of another transaction or stands at another place.
        """
        if not table.pages or any(column.type.startswith("reg") for column in table.columns):
            return None  # what `regclass` and the like show changes without the row
        name = f"{_quoted(table.schema)}.{_quoted(table.name)}"
        place = "" if part.whole else f" WHERE {part.condition(self.server_version)}"
        if self.server_version >= XID_HASHES:  # a number through text takes longer than to find the row
            total = "sum(hashtidextended(ctid, hashxidextended(xmin, 0)))"
        elif self.server_version >= TID_RANGES:  # which hash places as they are, in half the time
            total = "sum(hashtidextended(ctid, xmin::text::bigint))"
        else:
            total = "sum(hashtextextended(ctid::text || ' ' || xmin::text, 0))"
        return f"SELECT concat_ws(' ', {table.filenode}, count(*), {total}) AS proof FROM ONLY {name}{place}"

    def beginning(self) -> str:
        """What a session says first."""
        settings = {**session_settings(self.lock_seconds), **_PLANNING}
        return "".join(f"SET {name} = '{value}';\n" for name, value in settings.items())

    def within(self, statement: str) -> str:
        """A statement that sees the snapshot, in a transaction of its own: no lock is held longer than need be."""
        return f"{BEGIN};\nSET TRANSACTION SNAPSHOT '{self.snapshot}';\n{statement};\nCOMMIT;\n"

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


class RowSession:
    """A session of `psql` that is begun when something is read and lasts until an error. A context manager.

    Args:
        reader: says what is read, and how.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def rows(
        self,
        table: SourceTable,
        columns: Sequence[str],
        part: Range | Selection = WHOLE,
        tell: Callable[[str], None] = _silent,
    ) -> Iterator[bytes]:
        """The rows of a table, or some of them, as COPY text, in pieces that end with a row.

        Args:
            tell: called at the end with what proves these rows, if there is something; see `prove`.

        Raises:
            ConnectionLostError: the server cannot be reached any more.
            ResourceError: the server refuses.
        """
        for statement in _copies(table, columns, part, self._reader.server_version):
            yield from whole_rows(self._ask(statement, table))
        if isinstance(part, Range) and (proof := self.prove(table, part)):
            tell(proof)

    def prove(self, table: SourceTable, part: Range) -> str | None:
        """What tells the rows on these pages from all that could be there at another moment; None where nothing does.

        Raises as `rows`.
        """
        query = self._reader.proof(table, part)
        return None if query is None else b"".join(self._ask(f"COPY ({query}) TO STDOUT", table)).decode().strip()

    def _ask(self, statement: str, table: SourceTable) -> Iterator[bytearray]:
        """What `psql` says to a statement, in blocks. Whoever does not hear it out ends the session."""
        process, heard = self._begun(), False
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            # not the next statement before the end of this one: it would be waited for by psql, and its rows by us
            process.stdin.write(self._reader.within(statement).encode() + b"\\echo '\\013'\n")
            process.stdin.flush()
            while not heard:
                block = _block(process.stdout, self._reader.block)
                if heard := block.endswith(END):
                    del block[-len(END) :]
                elif len(block) < self._reader.block:
                    raise self._failure(table)
                yield block
        except BrokenPipeError:
            raise self._failure(table) from None
        finally:
            if not heard:
                self._end()

    def _begun(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            reader = self._reader
            command = [str(reader.binaries.path("psql")), "--no-psqlrc", "--quiet", "--no-password"]
            # terse and without context: those would quote rows
            command += ["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", "--set=SHOW_CONTEXT=never", *reader.target()]
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `_end`
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=child_environment(reader.secrets()),
            )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            with suppress(AttributeError, OSError):  # not every system can, or lets us
                fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, PIPE)
            with suppress(BrokenPipeError):
                self._process.stdin.write(reader.beginning().encode())
        return self._process

    def _failure(self, table: SourceTable) -> ResourceError:
        """Why the session ended by itself."""
        assert self._process is not None
        assert self._errors is not None
        status = self._process.wait()
        self._errors.seek(0)
        details = last_lines(self._errors.read().decode(errors="replace"), 3)
        what = f"reading {table.label} in the database {self._reader.database} failed"
        if status == CONNECTION_BAD:
            hint = "capture again: it goes on where it stopped"
            return ConnectionLostError(f"{what}: the connection was lost", hint=hint, details=details)
        return ResourceError(what, details=details)

    def _end(self) -> None:
        process, errors, self._process, self._errors = self._process, self._errors, None, None
        if process is not None:
            process.kill()
            with suppress(BrokenPipeError):
                process.communicate()
        if errors is not None:
            errors.close()


def _block(stream: IO[bytes], wanted: int) -> bytearray:
    """What an unbuffered stream gives, up to the end of an answer; not more than wanted, but for an end cut in two."""
    block, size, got = bytearray(wanted + 1), 0, 0
    with memoryview(block) as room:
        while size < wanted or (size == wanted and room[size - 1 : size] == MARK):
            if size > LITTLE > got:  # of many rows: to be woken for each few would take a third of what reading does
                time.sleep(GATHERING)
            got = stream.readinto(room[size : max(wanted, size + 1)])  # type: ignore[attr-defined]
            size += got
            if not got or room[max(0, size - len(END)) : size] == END:
                break
    del block[size:]
    return block


def _copies(table: SourceTable, columns: Sequence[str], part: Range | Selection, server_version: int) -> Iterator[str]:
    """The statements that give the rows of a table, one after the other."""
    name, otherwise = f"{_quoted(table.schema)}.{_quoted(table.name)}", {c.name: c.read_as for c in table.columns}
    listed = ", ".join(otherwise.get(column) or _quoted(column) for column in columns)
    query = f"SELECT {listed} FROM ONLY {name}"
    if isinstance(part, Selection):
        for rows in part.literals():
            yield f"COPY ({query} WHERE ctid = ANY ({rows})) TO STDOUT"
    elif part.whole and any(map(otherwise.get, columns)):
        yield f"COPY ({query}) TO STDOUT"
    elif part.whole:
        yield f"COPY {name}{f' ({listed})' if listed else ''} TO STDOUT"
    else:
        yield f"COPY ({query} WHERE {part.condition(server_version)}) TO STDOUT"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def whole_rows(blocks: Iterable[bytes | bytearray]) -> Iterator[bytes]:
    """Blocks of COPY text in pieces that end with a newline, which it has at the end of rows only."""
    rest: list[bytes] = []  # of a row that may be larger than many blocks
    for block in blocks:
        cut = block.rfind(b"\n") + 1
        view = memoryview(block)
        if cut:
            yield b"".join([*rest, view[:cut]])
            rest = []
        if cut < len(block):
            rest.append(bytes(view[cut:]))
