"""The rows of a table on their way into the snapshot: read as COPY text, masked by the column, written.

COPY text has one row in a line and fields between tabs; tabs, line breaks and backslashes of values are escaped by a
backslash, and NULL is `\\N`. So rows and fields can be told apart without looking at values. What is masked stands
first in a row (see `policy`), so that the rest of it is never taken apart.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import VerificationError
from dataops.snapshots.chunks import ChunkRef
from dataops.snapshots.columns import ColumnMasking
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.manifest import MaskedColumn, TableEntry
from dataops.snapshots.masking.texts import Texts, numbers_below, strings, taken_apart, text
from dataops.snapshots.memory import Memory
from dataops.snapshots.plans import TablePlan
from dataops.snapshots.ranges import Range
from dataops.snapshots.reader import RowSession
from dataops.snapshots.writer import DataWriter, Written

if TYPE_CHECKING:
    import pyarrow as pa

NULL = "\\N"
ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
"""What stands behind a backslash in COPY text, but for a backslash itself."""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r"[\\\x08\f\n\r\t\v]")
_PLAIN = bytes(set(range(256)).difference(b"\\\b\f\n\r\t\v"))
_ESCAPE = {"\\": "\\\\"} | {character: "\\" + letter for letter, character in ESCAPES.items()}


def unescape(field: str) -> str | None:
    """A field of COPY text as plain text; None for NULL."""
    if "\\" not in field:
        return field
    return None if field == NULL else _ESCAPED.sub(lambda match: ESCAPES.get(match[1], match[1]), field)


def escape(value: str | None) -> str:
    """Plain text as a field of COPY text."""
    return NULL if value is None else _SPECIAL.sub(lambda match: _ESCAPE[match[0]], value)


def unescaped(fields: Texts) -> Texts:
    """Fields of COPY text as plain texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if b"\\" not in taken_apart(fields)[1]:
        return fields
    plain = pc.if_else(pc.equal(fields, text(NULL)), pa.scalar(None, pa.large_string()), fields)
    return _where(plain, pc.match_substring(plain, "\\"), unescape)


def escaped(texts: Texts) -> Texts:
    """Plain texts as fields of COPY text."""
    import pyarrow.compute as pc

    if taken_apart(texts)[1].translate(None, _PLAIN):
        texts = _where(texts, pc.match_substring_regex(texts, _SPECIAL.pattern), escape)
    return pc.fill_null(texts, NULL) if texts.null_count else texts


def _where(texts: Texts, some: Any, change: Callable[[str], str | None]) -> Texts:
    """Changes some texts, one by one."""
    import pyarrow.compute as pc

    some = pc.fill_null(some, False)
    if not pc.any(some).as_py():
        return texts
    return pc.replace_with_mask(texts, some, strings(map(change, texts.filter(some).to_pylist())))


@dataclass(frozen=True, slots=True)
class CapturedTable:
    """A table or a range of one, its chunks, and what masking did to its columns, by their label in the policy."""

    entry: TableEntry
    chunks: tuple[ChunkRef, ...]
    masking: dict[str, MaskedColumn]


def capture_table(
    session: RowSession, plan: TablePlan, part: Range, writer: DataWriter, search: HostSearch, memory: Memory
) -> tuple[CapturedTable, str | None]:
    """Copies one table, or a range of it, into the store, masked; gives also what proves its rows, see `RowSession`.

    Raises:
        VerificationError: a value cannot be masked, or not the rows were read that were chosen.
        ResourceError: the server refuses.
    """
    columns = [ColumnMasking(field, memory, part) for field in plan.masked]
    rows, proofs = 0, list[str]()
    for batch in session.rows(plan.table, plan.columns, plan.selection or part, proofs.append):
        data: Any = batch
        if columns:
            count, data = mask_rows(batch, len(plan.columns), columns)
        else:
            count = batch.count(b"\n")
        rows += count
        search.look_rows(plan.table.label, plan.columns, data)
        writer.write(data)
    if plan.selection and rows != plan.selection.rows:
        raise VerificationError(f"of {plan.table.label} {rows:,} rows were read, {plan.selection.rows:,} were chosen")
    written: Written = writer.finish()
    entry = TableEntry(plan.columns, rows, writer.bytes, written.data)
    captured = CapturedTable(entry, written.chunks, {column.field.label: column.result() for column in columns})
    return captured, proofs[0] if proofs else None


def mask_rows(batch: bytes, width: int, columns: list[ColumnMasking]) -> tuple[int, pa.Buffer]:
    """Masks some columns of whole rows of COPY text; gives how many rows, and their text.

    Args:
        batch: the rows, each with its newline.
        width: how many columns a row has. Those from the last that takes part in masking on are not told apart.
        columns: those to mask.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    fields = [column.field for column in columns]
    last = max(place for field in fields for place in (field.index, *field.beside))
    parts = split_rows(batch, width, min(last + 2, width))
    raw = list(parts)  # a mask may depend on what another column held
    for column, field in zip(columns, fields, strict=True):
        masked = escaped(column.apply(unescaped(raw[field.index]), [unescaped(raw[index]) for index in field.beside]))
        column.changed += pc.sum(pc.not_equal(masked, raw[field.index])).as_py() or 0
        column.rows += len(masked)
        parts[field.index] = masked
    # every row with its newline, one after the other in one buffer
    tab, newline, nothing = (pa.scalar(text, pa.large_string()) for text in ("\t", "\n", ""))
    lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*parts, tab), nothing, newline)
    begin, end = _bounds(lines)
    return len(lines), lines.buffers()[2].slice(begin, end - begin)


def split_rows(batch: bytes, width: int, parts: int) -> list[pa.Array]:
    """The columns of some rows, values still escaped.

    Args:
        batch: the rows, each with its newline.
        width: how many columns a row has.
        parts: in how many parts a row is cut: the last one holds all columns that are left.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    offsets = struct.pack("=qq", 0, len(batch))
    whole = pa.Array.from_buffers(pa.large_string(), 1, [None, pa.py_buffer(offsets), pa.py_buffer(batch)])
    lines = pc.split_pattern(whole, "\n").values[:-1]
    if width == 1:
        return [lines]
    fields = pc.split_pattern(lines, "\t", max_splits=parts - 1).values
    if len(fields) != len(lines) * parts:
        raise ValueError("a row has too few columns")
    first = pc.multiply(numbers_below(len(lines)), pa.scalar(parts, pa.int64()))
    return [fields.take(pc.add(first, pa.scalar(part, pa.int64()))) for part in range(parts)]


def _bounds(lines: pa.Array) -> tuple[int, int]:
    """Where the text of an array begins and ends in its buffer."""
    offsets = memoryview(lines.buffers()[1]).cast("q")
    return offsets[lines.offset], offsets[lines.offset + len(lines)]
