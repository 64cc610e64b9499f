"""Check masking: what masking did to each column of a snapshot, and what looks as if it did too little."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dataops.infra.platform.paths import join_path
from dataops.snapshots.manifest import Manifest, MaskedColumn
from dataops.snapshots.nested import part_of
from dataops.snapshots.parquet import columns_of, texts_of
from dataops.snapshots.reader import whole_rows
from dataops.snapshots.restore import read_file
from dataops.snapshots.rows import split_rows, unescape
from dataops.snapshots.suspicions import Canaries, ColumnCheck

_ATTACHED = re.compile(r"^ALTER TABLE ONLY (\S+) ATTACH PARTITION (\S+) ", re.MULTILINE)
KEPT = MaskedColumn("keep", 0, 0)


def check_masking(manifest: Manifest, directory: Path, canaries: Canaries | None = None) -> list[ColumnCheck]:
    """Looks at every value of a snapshot.

    Args:
        manifest: the snapshot's, its signature checked.
        directory: the snapshot's.
        canaries: values of production that must not be found.

    Raises:
        VerificationError: a file of the snapshot is not as the manifest says.
    """
    check = _Check(manifest, directory, canaries or Canaries())
    for table in manifest.tables:
        check.table(table)
    for path in manifest.objects:
        check.object(path)
    for column in check.columns.values():
        column.conclude()
    return sorted(check.columns.values(), key=lambda column: column.label)


class _Check:
    """The columns that were looked at so far, by label; those of partitions count together."""

    def __init__(self, manifest: Manifest, directory: Path, canaries: Canaries) -> None:
        self.columns: dict[str, ColumnCheck] = {}
        self._manifest, self._directory, self._canaries = manifest, directory, canaries
        schema = b"".join(read_file(directory, manifest.pre_data)).decode()
        self._parents = {child: parent for parent, child in _ATTACHED.findall(schema)}

    def table(self, table: str) -> None:
        """Looks at the rows of a table."""
        entry, root = self._manifest.tables[table], table
        while root in self._parents:
            root = self._parents[root]
        columns = [self._column(f"{root}.{name}") for name in entry.columns]
        if not columns:
            return
        for batch in whole_rows(read_file(self._directory, entry.data)):
            for column, values in zip(columns, split_rows(batch, len(columns)), strict=True):
                texts = [unescape(text) for text in values.unique().to_pylist()]
                column.rows += len(values)
                column.nulls += _count(values, "\\N") if None in texts else 0
                column.add([text for text in texts if text is not None], self._canaries)

    def object(self, path: str) -> None:
        """Looks at the columns of an object, or at the lines of one that has none."""
        import pyarrow.parquet as pq

        entry = self._manifest.objects[path]
        file = self._directory / entry.data.file
        if entry.rows is None:
            if self._canaries:
                column = self._column(f"lake:{path}")
                with open(file, encoding="utf-8", errors="replace") as lines:
                    for line in lines:
                        column.add([line.rstrip("\n")], self._canaries)
            return
        with pq.ParquetFile(file) as opened:
            names = [(c.name, part.path) for c in columns_of(opened.schema_arrow) for part in c.parts or ()]
            whole = [c.name for c in columns_of(opened.schema_arrow) if not c.parts]
            for group in range(opened.num_row_groups):
                table = opened.read_row_group(group)
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
