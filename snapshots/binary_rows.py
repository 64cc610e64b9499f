"""The rows of a snapshot, which are COPY text, as binary COPY: a server takes them in half the time.

Only to read a row as text and to make values of its fields costs a server as much as all else that loading it takes,
and a table is loaded by one process. So that is done here, by the column and on another core, for tables all of whose
types are known (see `binary_values`). Values that cannot be encoded here are encoded by the server itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import VerificationError
from dataops.snapshots.binary_columns import Column, bytes_of, values_of
from dataops.snapshots.binary_values import ENCODINGS, UnusualError, texts
from dataops.snapshots.rows import ESCAPES

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

BEGINNING = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
END = struct.pack("!h", -1)
TOGETHER = 4 << 20
"""Bytes of COPY text that are encoded together."""
WORTHWHILE = 16 << 20
"""Bytes of COPY text from which a table is large enough."""
LARGEST = 32 << 20
"""Bytes of a piece up to which it may be in memory several times over: one that is larger is a single row."""
LONG = 128
"""Bytes of a value."""
FEW_ESCAPES = 1 / 200
"""Of all bytes."""
_BACKSLASH = "\0"
"""Stands for a backslash while escapes are undone: no text of Postgres has it."""
_COLUMNS = """
SELECT a.attname, CASE WHEN b.typtype = 'e' THEN 'enum' WHEN n.nspname = 'pg_catalog' THEN b.typname ELSE '' END,
  b.oid::regtype::text, b.typsend::regproc::text
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
JOIN pg_namespace n ON n.oid = b.typnamespace
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"""


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column of a table.

    Args:
        name: its name.
        type: the name of its type, of a domain of the type below it, in `pg_type`; `enum` for every enumeration.
        cast: what to cast to for it, as SQL.
        send: the function that gives its binary form, as SQL.
    """

    name: str
    type: str
    cast: str
    send: str


Ask = Callable[[TypedColumn, list[bytes | None]], list[bytes | None]]
"""Has the server encode values of a column, each a text or NULL."""


def is_worthwhile(sizes: Sequence[int], sample: bytes, width: int) -> bool:
    """Whether encoding the rows of a table takes less than the server takes for reading them as text.

    It does where there are many short values: a long one is copied more often here, and escapes are undone one by one.

    Args:
        sizes: bytes of the pieces of COPY text that they come in.
        sample: the first one.
        width: how many columns a row has.
    """
    if sum(sizes) < WORTHWHILE or max(sizes) > LARGEST:
        return False
    escapes = sample.count(b"\\") - sample.count(b"\\N")
    return len(sample) <= LONG * sample.count(b"\n") * width and escapes <= FEW_ESCAPES * len(sample)


def typed_columns(connection: Connection, table: str, columns: Sequence[str]) -> tuple[TypedColumn, ...] | None:
    """Some columns of a table; None when rows of them cannot be encoded here.

    Args:
        table: its name, quoted where need be.
        columns: their names, in the order of the rows.
    """
    found = {row[0]: TypedColumn(*row) for row in connection.execute(_COLUMNS, (table,))}
    typed = tuple(found[column] for column in columns)
    return typed if typed and all(column.type in ENCODINGS for column in typed) else None


@contextmanager
def asking(connect: Callable[[], AbstractContextManager[Connection]]) -> Iterator[Ask]:
    """A server that encodes, on a connection of its own, which is made when it is needed."""
    with ExitStack() as stack:
        connections: list[Connection] = []

        def ask(column: TypedColumn, values: list[bytes | None]) -> list[bytes | None]:
            if not connections:
                connections.append(stack.enter_context(connect()))
            plain = [None if value is None else value.decode() for value in values]
            each = "unnest(%s::text[]) WITH ORDINALITY each (value, place)"
            query = f"SELECT {column.send}(value::{column.cast}) FROM {each} ORDER BY place"
            return [row[0] for row in connections[0].execute(query.encode(), (plain,))]

        yield ask


def binary_rows(pieces: Iterable[bytes], columns: Sequence[TypedColumn], ask: Ask) -> Iterator[Any]:
    """Binary COPY, in pieces, of the same rows as COPY text.

    Args:
        pieces: COPY text, in pieces that end with a row.
        columns: what the fields of a row are.
        ask: encodes what cannot be encoded here.

    Raises:
        VerificationError: a row has another number of fields.
    """
    yield BEGINNING
    for batch in together(pieces):
        yield encoded(batch, columns, ask)
    yield END


def together(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same data in pieces of a size that encoding columns of pays."""
    some: list[bytes] = []
    size = 0
    for piece in pieces:
        some.append(piece)
        size += len(piece)
        if size >= TOGETHER:
            yield b"".join(some)
            some, size = [], 0
    if size:
        yield b"".join(some)


def encoded(batch: bytes, columns: Sequence[TypedColumn], ask: Ask) -> Any:
    """Some rows of COPY text in binary, without what stands at the beginning and at the end of all rows."""
    import pyarrow.compute as pc

    parts = [bytes_of(struct.pack("!h", len(columns)))]
    read = _Batch(batch, columns)
    for place, column in enumerate(columns):
        try:
            parts += ENCODINGS[column.type].encode(read.column(place))
        except UnusualError:
            parts += _asked(column, read.texts[place], ask)
    return values_of(pc.binary_join_element_wise(*parts, bytes_of(b""), null_handling="replace", null_replacement=""))


class _Batch:
    """Some rows of COPY text by the column."""

    def __init__(self, batch: bytes, columns: Sequence[TypedColumn]) -> None:
        import pyarrow as pa

        self._batch = batch
        self._escapes = b"\\" in batch
        self._kinds = [ENCODINGS[column.type].arrow() for column in columns]
        try:
            self._columns: list[Column] | None = _parsed(batch, self._kinds)
        except pa.ArrowInvalid:  # one of them holds something else; the error quotes it, and goes no further
            self._columns = None

    @cached_property
    def texts(self) -> list[Column]:
        """All columns as texts."""
        import pyarrow as pa

        try:
            return [self._meant(column) for column in _parsed(self._batch, [pa.binary()] * len(self._kinds))]
        except pa.ArrowInvalid:  # it quotes the row
            raise VerificationError("a row of the snapshot has not as many fields as its table has columns") from None

    def column(self, place: int) -> Column:
        """A column as the encoding of its type wants it.

        Raises:
            UnusualError: it holds something else.
        """
        import pyarrow as pa

        kind = self._kinds[place]
        if self._columns is not None:
            column = self._columns[place]
            return self._meant(column) if kind == pa.binary() else column
        if kind == pa.binary():
            return self.texts[place]
        fields = [b"\\N\n" if value is None else value + b"\n" for value in self.texts[place].to_pylist()]
        try:
            return _parsed(b"".join(fields), [kind])[0]
        except pa.ArrowInvalid:
            raise UnusualError from None

    def _meant(self, values: Column) -> Column:
        return _unescaped(values) if self._escapes else values


def _parsed(batch: bytes, kinds: Sequence[Any]) -> list[Column]:
    import pyarrow as pa
    from pyarrow import csv

    names = [str(place) for place in range(len(kinds))]
    table = csv.read_csv(
        pa.BufferReader(batch),
        csv.ReadOptions(use_threads=False, column_names=names, block_size=len(batch) + 1),
        csv.ParseOptions(delimiter="\t", quote_char=False, escape_char=False, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=dict(zip(names, kinds, strict=True)),
            null_values=["\\N"],
            strings_can_be_null=True,
            true_values=["t"],
            false_values=["f"],
            check_utf8=False,
        ),
    )
    return [column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in table.columns]


def _unescaped(values: Column) -> Column:
    """Fields of COPY text as they are meant."""
    import pyarrow.compute as pc

    written = bytes(values_of(values))
    if b"\\" not in written:
        return values
    values = pc.replace_substring(values, "\\\\", _BACKSLASH)
    for letter, character in ESCAPES.items():
        if f"\\{letter}".encode() in written:
            values = pc.replace_substring(values, f"\\{letter}", character)
    return pc.replace_substring(values, _BACKSLASH, "\\")


def _asked(column: TypedColumn, values: Column, ask: Ask) -> list[Any]:
    import pyarrow as pa

    return texts(pa.array(ask(column, values.to_pylist()), pa.binary()))
