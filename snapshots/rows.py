"""The rows of a table on their way into the snapshot: read as COPY text, masked by the column, written.

COPY text has one row in a line and fields between tabs; tabs, line breaks and backslashes of values are escaped by a
backslash, and NULL is `\\N`. So lines and tabs can be split without looking at values, which Arrow's CSV reader does
with quotes and escapes turned off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import VerificationError
from dataops.snapshots.chunks import ChunkRef
from dataops.snapshots.columns import ColumnMasking, Memory
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.manifest import MaskedColumn, TableEntry
from dataops.snapshots.policy import TablePlan
from dataops.snapshots.ranges import Range
from dataops.snapshots.reader import Reader
from dataops.snapshots.writer import DataWriter, Written

if TYPE_CHECKING:
    import pyarrow as pa

NULL = "\\N"
BYTE_ORDER_MARK = "\ufeff".encode()
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r"[\\\b\f\n\r\t\v]")
_ESCAPE = {"\\": "\\\\"} | {character: "\\" + letter for letter, character in _ESCAPES.items()}


def unescape(field: str) -> str | None:
    """A field of COPY text as plain text; None for NULL."""
    if "\\" not in field:
        return field
    return None if field == NULL else _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), field)


def escape(value: str | None) -> str:
    """Plain text as a field of COPY text."""
    return NULL if value is None else _SPECIAL.sub(lambda match: _ESCAPE[match[0]], value)


@dataclass(frozen=True, slots=True)
class CapturedTable:
    """A table or a range of one, its chunks, and what masking did to its columns, by their label in the policy."""

    entry: TableEntry
    chunks: tuple[ChunkRef, ...]
    masking: dict[str, MaskedColumn]


def capture_table(
    reader: Reader, plan: TablePlan, part: Range, writer: DataWriter, search: HostSearch, memory: Memory
) -> tuple[CapturedTable, str | None]:
    """Copies one table, or a range of it, into the store, masked; gives also what proves its rows, see `Reader`.

    Raises:
        VerificationError: a value cannot be masked, or not the rows were read that were chosen.
        ResourceError: the server refuses.
    """
    columns = [ColumnMasking(field, memory, part) for field in plan.masked]
    rows, proofs = 0, list[str]()
    for batch in reader.rows(plan.table, plan.columns, plan.selection or part, proofs.append):
        data: Any = memoryview(mask_rows(batch, len(plan.columns), columns)) if columns else batch
        rows += batch.count(b"\n")
        search.look_rows(plan.table.label, plan.columns, data)
        writer.write(data)
    if plan.selection and rows != plan.selection.rows:
        raise VerificationError(f"of {plan.table.label} {rows:,} rows were read, {plan.selection.rows:,} were chosen")
    written: Written = writer.finish()
    entry = TableEntry(plan.columns, rows, writer.bytes, written.data)
    captured = CapturedTable(entry, written.chunks, {column.field.label: column.result() for column in columns})
    return captured, proofs[0] if proofs else None


def mask_rows(batch: bytes, width: int, columns: list[ColumnMasking]) -> pa.Buffer:
    """Masks some columns of whole rows of COPY text.

    Args:
        batch: the rows, each with its newline.
        width: how many columns a row has.
        columns: those to mask.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = split_rows(batch, width)
    raw = list(parts)  # a mask may depend on what another column held
    for column in columns:
        field = column.field
        masked = _mask(raw[field.index], [raw[index] for index in field.beside], column)
        column.changed += pc.sum(pc.not_equal(masked, raw[field.index])).as_py() or 0
        column.rows += len(masked)
        parts[field.index] = masked
    # every row with its newline, one after the other in one buffer
    tab, newline, nothing = (pa.scalar(text, pa.large_string()) for text in ("\t", "\n", ""))
    lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*parts, tab), nothing, newline)
    begin, end = _bounds(lines)
    return lines.buffers()[2].slice(begin, end - begin)


def split_rows(batch: bytes, width: int) -> list[pa.Array]:
    """The columns of some rows, values still escaped."""
    import pyarrow as pa
    from pyarrow import csv

    names = [str(number) for number in range(width)]
    if batch.startswith(BYTE_ORDER_MARK):  # the reader takes the first for a mark of the file, not for data
        batch = BYTE_ORDER_MARK + batch
    table = csv.read_csv(
        pa.BufferReader(batch),
        csv.ReadOptions(use_threads=False, block_size=len(batch) + 1, column_names=names),
        csv.ParseOptions(delimiter="\t", quote_char=False, escape_char=False, ignore_empty_lines=False),
        csv.ConvertOptions(
            check_utf8=False,  # the server has seen to it
            column_types=dict.fromkeys(names, pa.large_string()),
            null_values=[],
            strings_can_be_null=False,
        ),
    )
    return [column.combine_chunks() for column in table.columns]


def _mask(values: pa.Array, beside: list[pa.Array], column: ColumnMasking) -> pa.Array:
    import pyarrow as pa

    if beside:
        indices, distinct = distinct_rows([values, *beside])
        rows = [tuple(map(unescape, row)) for row in distinct]
        column.count({row[0] for row in distinct} - {NULL})
        masked = _masks([None if row[0] is None else row for row in rows], range(len(rows)), indices, column)
        return pa.array(masked, pa.large_string()).take(indices)
    encoded = values.dictionary_encode()
    fields, known = encoded.dictionary.to_pylist(), column.fields
    column.count(field for field in fields if field != NULL)
    found: list[str | None] = list(map(known.get, fields))
    if None in found:
        places = [place for place, mask in enumerate(found) if mask is None]
        new = _masks([unescape(fields[place]) for place in places], places, encoded.indices, column)
        if len(known) + len(new) > column.remembered:
            known.clear()
        for place, mask in zip(places, new, strict=True):
            found[place] = known[fields[place]] = mask
    return pa.array(found, pa.large_string()).take(encoded.indices)


def _masks(keys: Sequence[Any], places: Sequence[int], indices: pa.Array, column: ColumnMasking) -> list[str]:
    """The masks of distinct values as fields; `places` says which numbers in `indices` stand for them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def row_of(place: int) -> int:
        return int(pc.index(indices, pa.scalar(places[place], indices.type)).as_py())

    return [escape(mask) if mask is None or _SPECIAL.search(mask) else mask for mask in column.masks(keys, row_of)]


def distinct_rows(columns: list[pa.Array]) -> tuple[pa.Array, list[tuple[Any, ...]]]:
    """The distinct rows of some columns: for each row the number of its like, and what these hold."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers: Any = None
    rows: list[tuple[Any, ...]] = []
    for column in columns:
        encoded = column.dictionary_encode(null_encoding="encode")
        texts, indices = encoded.dictionary.to_pylist(), encoded.indices.cast(pa.int64())
        if numbers is None:
            numbers, rows = indices, [(text,) for text in texts]
            continue
        pairs = pc.add(pc.multiply(numbers, max(len(texts), 1)), indices).dictionary_encode()
        found = [divmod(pair, max(len(texts), 1)) for pair in pairs.dictionary.to_pylist()]
        numbers, rows = pairs.indices.cast(pa.int64()), [(*rows[before], texts[own]) for before, own in found]
    return numbers, rows


def _bounds(lines: pa.Array) -> tuple[int, int]:
    """Where the text of an array begins and ends in its buffer."""
    offsets = memoryview(lines.buffers()[1]).cast("q")
    return offsets[lines.offset], offsets[lines.offset + len(lines)]
