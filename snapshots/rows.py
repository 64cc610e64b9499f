"""The rows of a table on their way into the snapshot: read as COPY text, masked by the column, compressed, hashed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataops.infra.errors import VerificationError
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.manifest import MaskedColumn, StoredFile, TableEntry
from dataops.snapshots.masking.base import UnmaskableError
from dataops.snapshots.policy import MaskedField, TablePlan

if TYPE_CHECKING:
    from dataops.infra.process.postgres_binaries import PostgresBinaries
    from dataops.snapshots.source import Source

REMEMBERED = 1_000_000
LEVEL = 3
NULL = b"\\N"
_ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SPECIAL = re.compile(rb"[\\\b\f\n\r\t\v]")
_ESCAPE = {b"\\": b"\\\\"} | {character: b"\\" + letter for letter, character in _ESCAPES.items()}


class ColumnMasking:
    """Masks one column batch by batch, each distinct value once; counts what it did."""

    def __init__(self, field: MaskedField) -> None:
        self.field = field
        self._known: dict[bytes, bytes] = {NULL: NULL}
        self._distinct = 0
        self._changed = 0

    def apply(self, values: Iterable[bytes]) -> dict[bytes, bytes]:
        """Masks what is new among `values`, COPY text each; the table to look all of them up in.

        Raises:
            VerificationError: a value cannot be masked, or no longer fits its column.
        """
        new = set(values).difference(self._known)
        if len(self._known) + len(new) > REMEMBERED:
            self._known = {NULL: NULL}
            new = set(values) - {NULL}
        if new:
            self._learn(new)
        return self._known

    def count(self, values: Iterable[bytes]) -> None:
        """Counts the rows whose value changes."""
        known = self._known
        self._changed += sum(known[value] != value for value in values)

    def _learn(self, new: set[bytes]) -> None:
        field, known = self.field, self._known
        plain = {value: unescape(value).decode() for value in new}
        if field.padded:
            plain = {value: text.rstrip(" ") for value, text in plain.items()}
        try:
            masked = field.masker.mask_all(set(plain.values()))
        except UnmaskableError as error:
            raise VerificationError(f"{field.label} cannot be masked with `{field.rule}`: {error}") from None
        for value, text in plain.items():
            result = masked[text]
            if result is not None and field.length is not None and len(result) > field.length:
                raise VerificationError(
                    f"{field.label} cannot be masked with `{field.rule}`: "
                    f"a masked value is longer than the {field.length} characters that the column takes",
                    hint="choose a rule that keeps the length, such as fpe",
                )
            known[value] = NULL if result is None else escape(result.encode())
        self._distinct = min(REMEMBERED, self._distinct + len(new))

    def result(self) -> MaskedColumn:
        """What was done to the column."""
        return MaskedColumn(self.field.rule, self._distinct, self._changed)


def unescape(value: bytes) -> bytes:
    """A field of COPY text as plain text."""
    if b"\\" not in value:
        return value
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), value)


def escape(value: bytes) -> bytes:
    """Plain text as a field of COPY text."""
    return _SPECIAL.sub(lambda match: _ESCAPE[match[0]], value)


class DataWriter:
    """A compressed file, hashed while it is written; `finish` makes it durable."""

    def __init__(self, path: Path) -> None:
        import zstandard
        from blake3 import blake3

        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._path = path
        self._file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
        self._hash = blake3()
        self._stored = 0
        self.bytes = 0

    def __enter__(self) -> DataWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes | bytearray) -> None:
        """Appends some data."""
        self.bytes += len(data)
        self._store(self._compressor.compress(data))

    def finish(self) -> StoredFile:
        """Ends the file and waits until it is on disk."""
        self._store(self._compressor.flush())
        self._file.flush()
        os.fsync(self._file.fileno())
        name = f"{self._path.parent.name}/{self._path.name}"
        return StoredFile(name, self._stored, self._hash.hexdigest())

    def _store(self, data: bytes) -> None:
        if data:
            self._hash.update(data)
            self._file.write(data)
            self._stored += len(data)


@dataclass(frozen=True, slots=True)
class CapturedTable:
    """A table in the snapshot and what masking did to its columns, by their label in the policy."""

    entry: TableEntry
    masking: dict[str, MaskedColumn]


def capture_table(
    source: Source, binaries: PostgresBinaries, plan: TablePlan, path: Path, search: HostSearch
) -> CapturedTable:
    """Copies one table into a file of the snapshot, masked.

    Raises:
        VerificationError: a value cannot be masked.
        ResourceError: the server refuses.
    """
    columns = [ColumnMasking(field) for field in plan.masked]
    rows = 0
    with DataWriter(path) as writer:
        for batch in source.rows(_query(source, plan), binaries):
            data = _mask(batch, columns) if columns else batch
            rows += data.count(b"\n")
            search.look(plan.table.label, data)
            writer.write(data)
        entry = TableEntry(plan.columns, rows, writer.bytes, writer.finish())
    return CapturedTable(entry, {column.field.label: column.result() for column in columns})


def _query(source: Source, plan: TablePlan) -> str:
    from psycopg import sql

    query = sql.SQL("COPY {} {} TO STDOUT").format(
        sql.Identifier(plan.table.schema, plan.table.name),
        sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Identifier, plan.columns))) if plan.columns else sql.SQL(""),
    )
    return query.as_string(source.leader)


def _mask(batch: bytes, columns: list[ColumnMasking]) -> bytes:
    rows = [line.split(b"\t") for line in batch.split(b"\n")]
    rows.pop()  # what follows the last newline
    for column in columns:
        index = column.field.index
        values = [row[index] for row in rows]
        known = column.apply(values)
        column.count(values)
        for row in rows:
            row[index] = known[row[index]]
    return b"\n".join([b"\t".join(row) for row in rows]) + b"\n"
