"""What the workers of a capture have done so far, put together: ranges to tables, chunks to an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from dataops.snapshots.chunks import ChunkKeys, ChunkRef
from dataops.snapshots.contents import Contents, digest_of
from dataops.snapshots.lake import CapturedObject
from dataops.snapshots.manifest import MaskedColumn, ObjectEntry, StoredData, TableEntry
from dataops.snapshots.ranges import Range
from dataops.snapshots.rows import CapturedTable
from dataops.snapshots.tasks import Task
from dataops.snapshots.writer import Written


class Gathered:
    """The parts of a snapshot in the making. Not safe to use from several threads.

    Args:
        keys: of the store.
    """

    def __init__(self, keys: ChunkKeys) -> None:
        self._keys = keys
        self._tables: dict[str, dict[Range, CapturedTable]] = {}
        self._objects: dict[str, CapturedObject] = {}
        self._labels: dict[str, str] = {}
        self._schema: dict[str, tuple[ChunkRef, ...]] = {}

    def add(self, task: Task, captured: CapturedTable | CapturedObject) -> None:
        """Takes what a task captured."""
        self._labels[task.label] = task.index_label
        if isinstance(captured, CapturedTable):
            self._tables.setdefault(task.label, {})[task.part] = captured
        else:
            self._objects[task.label.removeprefix("lake:")] = captured

    def add_schema(self, label: str, written: Written) -> StoredData:
        """Takes a section of the schema."""
        self._schema[label] = written.chunks
        return written.data

    def tables(self) -> dict[str, TableEntry]:
        """What the manifest says of the tables."""
        return {name: self._entry(name) for name in sorted(self._tables)}

    def _entry(self, name: str) -> TableEntry:
        entries = [part.entry for _, part in sorted(self._tables[name].items())]
        if len(entries) == 1:
            return entries[0]
        chunks = self._chunks(name)
        count, digest = digest_of(chunks, self._keys)
        data = StoredData(count, sum(ref.stored for ref in chunks), digest)
        rows, size = sum(entry.rows for entry in entries), sum(entry.bytes for entry in entries)
        return TableEntry(entries[0].columns, rows, size, data)

    def objects(self) -> dict[str, ObjectEntry]:
        """What the manifest says of the objects."""
        return {path: captured.entry for path, captured in sorted(self._objects.items())}

    def masking(self) -> dict[str, MaskedColumn]:
        """What masking did to each column."""
        tables = [part.masking for _, parts in sorted(self._tables.items()) for _, part in sorted(parts.items())]
        return _merge([*tables, *(captured.masking for _, captured in sorted(self._objects.items()))])

    def contents(self) -> Contents:
        """The chunks of everything."""
        chunks = dict(self._schema)
        ranges = {}
        for name, parts in self._tables.items():
            label = self._labels[name]
            chunks[label] = self._chunks(name)
            if len(parts) > 1:
                ranges[label] = tuple((part.first, len(captured.chunks)) for part, captured in sorted(parts.items()))
        for path, captured in self._objects.items():
            chunks[self._labels[f"lake:{path}"]] = captured.chunks
        return Contents(chunks, ranges)

    def _chunks(self, name: str) -> tuple[ChunkRef, ...]:
        return tuple(chain.from_iterable(part.chunks for _, part in sorted(self._tables[name].items())))


def _merge(parts: Iterable[Mapping[str, MaskedColumn]]) -> dict[str, MaskedColumn]:
    """Adds up what was done to the parts of a table; their distinct values may overlap, so the most counts."""
    merged: dict[str, MaskedColumn] = {}
    for part in parts:
        for label, column in part.items():
            known = merged.get(label, MaskedColumn(column.rule, 0, 0))
            changed = known.changed + column.changed
            merged[label] = MaskedColumn(column.rule, max(known.distinct, column.distinct), changed)
    return merged
