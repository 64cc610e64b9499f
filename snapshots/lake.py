"""The objects of a lake on their way into a snapshot: Parquet masked by the same rules as tables, the rest as it is.

An object is listed after the database snapshot was taken: one too many does no harm, one too few would. Names that
start with a dot are not objects but being written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import VerificationError
from dataops.infra.platform.masking import Masking
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.manifest import MaskedColumn, ObjectEntry, StoredFile
from dataops.snapshots.masking.base import Family, UnmaskableError
from dataops.snapshots.policy import MaskedField, plan_columns

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "lake"
BLOCK = 1 << 20
OVERLAP = 1 << 10


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """How one object is captured; `parquet` says that it has columns, `masked` which of them are changed."""

    path: str
    parquet: bool
    masked: tuple[MaskedField, ...]


@dataclass(frozen=True, slots=True)
class CapturedObject:
    """An object in the snapshot and what masking did to its columns, by label."""

    entry: ObjectEntry
    masking: dict[str, MaskedColumn]


def list_objects(lake: Path) -> list[str]:
    """The paths of all objects, sorted. A lake that does not exist yet has none."""
    found = []
    for folder, folders, files in os.walk(lake):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [str(Path(folder, name).relative_to(lake)) for name in files if not name.startswith(".")]
    return sorted(found)


def plan_objects(lake: Path, masking: Masking, key: bytes) -> tuple[ObjectPlan, ...]:
    """Puts a rule on every column of every object, from schemas alone.

    Raises:
        VerificationError: an object or a column has no rule, or one that cannot stand there, or is a broken file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    plans = []
    for path in list_objects(lake):
        parquet = path.endswith(".parquet")
        columns: list[tuple[str, Family]] = []
        if parquet:
            try:
                schema = pq.read_schema(lake / path)
            except (pa.ArrowException, OSError) as error:
                raise VerificationError(
                    f"lake:{path} is not a readable Parquet file ({type(error).__name__})"
                ) from None
            columns = [(field.name, _family(field.type)) for field in schema]
        plans.append(ObjectPlan(path, parquet, plan_columns(path, columns, masking, key)))
    return tuple(plans)


def capture_object(lake: Path, plan: ObjectPlan, target: Path, search: HostSearch) -> CapturedObject:
    """Copies one object below `target`, masked.

    Raises:
        VerificationError: a value cannot be masked, or the object was changed while it was read.
    """
    source, copy = lake / plan.path, target / FOLDER / plan.path
    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = source.stat()
    masking: dict[str, MaskedColumn] = {}
    rows = None
    if plan.masked:
        rows, masking = _mask_parquet(source, copy, plan, search)
    else:
        _copy(source, copy, lambda data: None if plan.parquet else search.look(f"lake:{plan.path}", data))
        if plan.parquet:
            rows = _search_parquet(copy, plan, search)
    after = source.stat()
    if (before.st_mtime_ns, before.st_size, before.st_ino) != (after.st_mtime_ns, after.st_size, after.st_ino):
        raise VerificationError(
            f"lake:{plan.path} changed while it was captured",
            hint="objects must be written under another name and then renamed; capture again",
        )
    stored = _seal(copy, f"{FOLDER}/{plan.path}")
    return CapturedObject(ObjectEntry(stored.stored, rows, stored), masking)


def _family(kind: pa.DataType) -> Family:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return Family.TEXT
    if pa.types.is_int32(kind) or pa.types.is_int64(kind):
        return Family.INTEGER
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return Family.DATE
    if pa.types.is_integer(kind):
        return Family.SMALLINT
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Family.NUMBER
    return Family.OTHER


def _mask_parquet(
    source: Path, copy: Path, plan: ObjectPlan, search: HostSearch
) -> tuple[int, dict[str, MaskedColumn]]:
    """Masks row group by row group. Metadata of the file, which may quote values, stays behind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    distinct: dict[str, set[str]] = {field.label: set() for field in plan.masked}
    changed = dict.fromkeys(distinct, 0)
    with pq.ParquetFile(source, memory_map=False) as file:
        schema = file.schema_arrow.remove_metadata()
        with pq.ParquetWriter(copy, schema, compression="zstd") as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group).replace_schema_metadata(None)
                for field in plan.masked:
                    column, count = _mask_column(table.column(field.index), field, distinct[field.label])
                    changed[field.label] += count
                    table = table.set_column(field.index, schema.field(field.index), column)
                _search_table(table, plan, search)
                writer.write_table(table.cast(schema) if table.schema != schema else table)
        rows = int(file.metadata.num_rows)
    assert isinstance(schema, pa.Schema)
    done = {f.label: MaskedColumn(f.rule, len(distinct[f.label]), changed[f.label]) for f in plan.masked}
    return rows, done


def _mask_column(column: Any, field: MaskedField, distinct: set[str]) -> tuple[Any, int]:
    """Masks the dictionary of a column and puts it together again; the new column and how many rows changed."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], column.type)
    encoded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    texts = _as_text(encoded.dictionary)
    try:
        table = field.masker.mask_all({text for text in texts if text is not None})
    except UnmaskableError as error:
        raise VerificationError(f"{field.label} cannot be masked with `{field.rule}`: {error}") from None
    masked = [None if text is None else table[text] for text in texts]
    distinct.update(text for text in texts if text is not None)
    different = pa.array([old != new for old, new in zip(texts, masked, strict=True)], pa.bool_())
    count = pc.sum(pc.take(different, encoded.indices)).as_py() or 0
    values = pa.array(masked, pa.string()).cast(kind)
    result = pc.take(values, encoded.indices)
    return (result.dictionary_encode().cast(column.type) if pa.types.is_dictionary(column.type) else result), count


def _as_text(values: Any) -> list[str | None]:
    """Values as Postgres writes them, so that the same value is masked the same in both stores."""
    import pyarrow as pa

    if pa.types.is_binary(values.type) or pa.types.is_nested(values.type):
        return [None if value is None else "" for value in values.to_pylist()]  # null and constant need no value
    texts: list[str | None] = values.cast(pa.string()).to_pylist()
    return texts


def _search_table(table: Any, plan: ObjectPlan, search: HostSearch) -> None:
    import pyarrow as pa

    if not search.hosts:
        return
    for column in table.columns:
        if pa.types.is_nested(column.type) or _family(column.type) is Family.TEXT:
            for value in column.unique().to_pylist() if not pa.types.is_nested(column.type) else column.to_pylist():
                if value is not None:
                    search.look(f"lake:{plan.path}", str(value).encode())


def _search_parquet(copy: Path, plan: ObjectPlan, search: HostSearch) -> int:
    import pyarrow.parquet as pq

    with pq.ParquetFile(copy) as file:
        if search.hosts:
            for group in range(file.num_row_groups):
                _search_table(file.read_row_group(group), plan, search)
        return int(file.metadata.num_rows)


def _copy(source: Path, copy: Path, look: Callable[[bytes], None]) -> None:
    tail = b""
    with open(source, "rb") as reading, open(copy, "xb") as writing:
        while block := reading.read(BLOCK):
            writing.write(block)
            look(tail + block)
            tail = block[-OVERLAP:]


def _seal(path: Path, name: str) -> StoredFile:
    """Makes a written file durable and hashes it."""
    from blake3 import blake3

    with open(path, "rb") as file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    return StoredFile(name, size, blake3().update_mmap(str(path)).hexdigest())
