"""Check masking: what masking did to each column of a snapshot, and what looks as if it did too little."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from dataops.infra.platform.paths import join_path
from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.manifest import PRE_DATA, MaskedColumn, object_label, table_label
from dataops.snapshots.nested import part_of
from dataops.snapshots.parquet import columns_of, texts_of
from dataops.snapshots.reader import whole_rows
from dataops.snapshots.rows import split_rows, unescape
from dataops.snapshots.suspicions import Canaries, ColumnCheck

_ATTACHED = re.compile(r"^ALTER TABLE ONLY (\S+) ATTACH PARTITION (\S+) ", re.MULTILINE)
KEPT = MaskedColumn("keep", 0, 0)


def check_masking(snapshot: SnapshotReader, canaries: Canaries | None = None) -> list[ColumnCheck]:
    """Looks at every value of a snapshot.

    Args:
        snapshot: the snapshot.
        canaries: values of production that must not be found.

    Raises:
        VerificationError: a chunk of the snapshot is missing or was changed.
    """
    check = _Check(snapshot, canaries or Canaries())
    for table in snapshot.manifest.tables:
        check.table(table)
    for path in snapshot.manifest.objects:
        check.object(path)
    for column in check.columns.values():
        column.conclude()
    return sorted(check.columns.values(), key=lambda column: column.label)


class _Check:
    """The columns that were looked at so far, by label; those of partitions count together."""

    def __init__(self, snapshot: SnapshotReader, canaries: Canaries) -> None:
        self.columns: dict[str, ColumnCheck] = {}
        self._manifest, self._snapshot, self._canaries = snapshot.manifest, snapshot, canaries
        schema = b"".join(snapshot.read(PRE_DATA)).decode()
        self._parents = {child: parent for parent, child in _ATTACHED.findall(schema)}

    def table(self, table: str) -> None:
        """Looks at the rows of a table."""
        entry, root = self._manifest.tables[table], table
        while root in self._parents:
            root = self._parents[root]
        columns = [self._column(f"{root}.{name}") for name in entry.columns]
        if not columns:
            return
        for batch in whole_rows(self._snapshot.read(table_label(table))):
            for column, values in zip(columns, split_rows(batch, len(columns), len(columns)), strict=True):
                texts = [unescape(text) for text in values.unique().to_pylist()]
                column.rows += len(values)
                column.nulls += _count(values, "\\N") if None in texts else 0
                column.add([text for text in texts if text is not None], self._canaries)

    def object(self, path: str) -> None:
        """Looks at the columns of an object, or at the lines of one that has none."""
        if self._manifest.objects[path].rows is None:
            if self._canaries:
                column = self._column(f"lake:{path}")
                for line in self._lines(path):
                    column.add([line.decode(errors="replace")], self._canaries)
            return
        # what is stored is masked, so it may lie on the disk
        with tempfile.TemporaryFile() as file:
            for piece in self._snapshot.read(object_label(path)):
                file.write(piece)
            self._parquet(path, file)

    def _lines(self, path: str) -> Iterator[bytes]:
        rest = b""
        for piece in self._snapshot.read(object_label(path)):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
        yield rest

    def _parquet(self, path: str, file: IO[bytes]) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetFile(file) as opened:
            names = [(c.name, part.path) for c in columns_of(opened.schema_arrow) for part in c.parts or ()]
            whole = [c.name for c in columns_of(opened.schema_arrow) if not c.parts]
            for group in range(opened.num_row_groups):
                # Arrow's threads may end the process with an abort when it exits at once after they were started
                table = opened.read_row_group(group, use_threads=False)
                for name in whole:
                    self._array(f"lake:{path}.{name}", table.column(name).combine_chunks())
                for name, parts in names:
                    label = self._nested(path, name, parts)
                    self._array(label, part_of(table.column(name), parts))

    def _nested(self, path: str, name: str, parts: tuple[str, ...]) -> str:
        """The label of a part: its own, or that of the column if the whole of it was masked."""
        label = f"lake:{path}.{join_path((name, *parts))}"
        above = f"lake:{path}.{name}"
        return label if label in self._manifest.masking or above not in self._manifest.masking else above

    def _array(self, label: str, values: Any) -> None:
        import pyarrow as pa

        column = self._column(label)
        column.rows += len(values)
        column.nulls += values.null_count
        if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
            return
        distinct = texts_of(values).unique().to_pylist()
        column.add([text for text in distinct if text is not None], self._canaries)

    def _column(self, label: str) -> ColumnCheck:
        if label not in self.columns:
            masked = self._manifest.masking.get(label)
            before = None if masked is None else masked.distinct
            rule, changed = (masked or KEPT).rule, (masked or KEPT).changed
            self.columns[label] = ColumnCheck(label, rule, before, changed)
        return self.columns[label]


def _count(values: Any, text: str) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.equal(values, text)).as_py() or 0)


def summary_of(column: ColumnCheck) -> dict[str, Any]:
    """A column as plain data; no value is in it."""
    return {
        "column": column.label,
        "rule": column.rule,
        "rows": column.rows,
        "nulls": column.nulls,
        "distinctBefore": column.before,
        "distinct": column.after,
        "changed": None if column.share is None else round(column.share, 4),
        "unique": column.unique or None,
        "findings": list(column.findings),
    }
