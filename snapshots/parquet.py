"""Parquet objects on their way into a snapshot, masked row group by row group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from dataops.infra.errors import VerificationError
from dataops.snapshots.columns import ColumnMasking
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.masking.base import Family


def family_of(kind: Any) -> Family:
    """The family of an Arrow type."""
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


def has_remarks(file: Any) -> bool:
    """Whether a Parquet file says more than its columns: remarks of its writer, which could quote values."""
    schema = file.schema_arrow
    return (
        bool(schema.metadata)
        or not set(file.metadata.metadata or ()) <= {b"ARROW:schema"}
        or any(set(field.metadata or ()) - {b"PARQUET:field_id"} for field in _fields(schema))
    )


def _fields(parent: Any) -> list[Any]:
    import pyarrow as pa

    found: list[Any] = []
    for field in parent:
        found.append(field)
        if pa.types.is_nested(field.type):
            found += _fields([field.type.field(i) for i in range(field.type.num_fields)])
    return found


def rewrite(source: IO[bytes], target: Path, columns: Sequence[ColumnMasking], label: str, search: HostSearch) -> int:
    """Writes a masked copy; the number of rows. Remarks and statistics of the file, which quote values, stay behind.

    Args:
        source: the object.
        target: where the copy is to be.
        columns: those to mask.
        label: what to call the object in errors and references.
        search: looks at what was written.

    Raises:
        VerificationError: a value cannot be masked, or a mask does not fit the type of its column.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as file:
        schema = _plain(file.schema_arrow)
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group).cast(schema)
                for column in columns:
                    index = column.field.index
                    table = table.set_column(index, schema.field(index), _mask(table.column(index), column))
                look_into(table, label, search)
                writer.write_table(table)
        return int(file.metadata.num_rows)


def _plain(schema: Any) -> Any:
    """A schema without what its writer remarked on it and on its columns."""
    import pyarrow as pa

    return pa.schema([field.remove_metadata() for field in schema])


def _mask(values: Any, column: ColumnMasking) -> Any:
    """Masks the distinct values of a column and puts it together again."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    whole = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], kind)
    if pa.types.is_dictionary(kind):
        whole = whole.dictionary_decode()
    if pa.types.is_binary(whole.type) or pa.types.is_nested(whole.type) or family_of(whole.type) is Family.OTHER:
        # null and constant, the only rules there, need no value; and not all of these types are hashed or compared
        (mask,) = column.apply([""])
        masked = pc.if_else(pc.is_null(whole), pa.scalar(None, whole.type), _scalar(mask, whole.type, column))
        column.changed += len(whole) - whole.null_count
    else:
        encoded = whole.dictionary_encode()
        # as Postgres writes them, so that the same value is masked the same in both stores
        masks = pa.array(column.apply(encoded.dictionary.cast(pa.string()).to_pylist()), pa.string())
        masked = _cast(masks, whole.type, column).take(encoded.indices)
        column.changed += pc.sum(pc.not_equal(masked, whole)).as_py() or 0
        column.changed += masked.null_count - whole.null_count
    return masked.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else masked


def _scalar(mask: str | None, kind: Any, column: ColumnMasking) -> Any:
    import pyarrow as pa

    return pa.scalar(None, kind) if mask is None else _cast(pa.array([mask], pa.string()), kind, column)[0]


def _cast(masks: Any, kind: Any, column: ColumnMasking) -> Any:
    import pyarrow as pa

    try:
        return masks.cast(kind)
    except pa.ArrowException:
        raise VerificationError(
            f"{column.field.label} cannot be masked with `{column.field.rule}`: a masked value is no {kind}"
        ) from None


def look_into(table: Any, label: str, search: HostSearch) -> None:
    """Searches the texts of a table for production hosts, and bytes, which may be texts."""
    if search.hosts:
        for name, column in zip(table.column_names, table.columns, strict=True):
            for texts in _texts(column):
                values = filter(None, texts.unique().to_pylist())
                search.look(f"{label}.{name}", b"\n".join(v if isinstance(v, bytes) else v.encode() for v in values))


def _texts(column: Any) -> list[Any]:
    """The texts in a column, those within lists, structs and maps too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _texts(column.cast(kind.value_type))
    if pa.types.is_struct(kind):
        parts = [pc.struct_field(column, [index]) for index in range(kind.num_fields)]
        return [texts for part in parts for texts in _texts(part)]
    if pa.types.is_map(kind):
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        chunks = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
        return [texts for chunk in chunks for part in (chunk.keys, chunk.items) for texts in _texts(part)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _texts(pc.list_flatten(column))
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return [column] if binary or family_of(kind) is Family.TEXT else []
