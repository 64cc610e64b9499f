"""Parquet objects on their way into a snapshot, masked row group by row group."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import IO, Any

from dataops.infra.errors import VerificationError
from dataops.infra.platform.paths import ITEM
from dataops.snapshots.columns import ColumnMasking
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.masking.base import Family
from dataops.snapshots.masking.texts import strings, taken_apart
from dataops.snapshots.nested import MAP_KEY, MAP_VALUE, is_list, replace_parts
from dataops.snapshots.plans import ObjectColumn, ObjectPart


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


def columns_of(schema: Any) -> list[ObjectColumn]:
    """The columns of a schema, and the parts of those that are nested."""
    return [
        ObjectColumn(f.name, str(f.type), family_of(f.type), not f.nullable, tuple(_parts(f.type, ()))) for f in schema
    ]


def _parts(kind: Any, path: tuple[str, ...]) -> list[ObjectPart]:
    """The parts of a type that hold values; none for one that is not nested."""
    import pyarrow as pa

    below: list[tuple[tuple[str, ...], Any, bool]] = []
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        below = [((*path, field.name), field.type, not field.nullable) for field in fields]
    elif pa.types.is_map(kind):
        below = [((*path, ITEM, MAP_KEY), kind.key_type, True), ((*path, ITEM, MAP_VALUE), kind.item_type, False)]
    elif is_list(kind):
        below = [((*path, ITEM), kind.value_type, not kind.value_field.nullable)]
    found = []
    for own, type_, required in below:
        found += _parts(type_, own) or [ObjectPart(own, str(type_), family_of(type_), required)]
    return found


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


def rewrite(
    source: IO[bytes], target: IO[bytes], columns: Sequence[ColumnMasking], label: str, search: HostSearch
) -> int:
    """Writes a masked copy; the number of rows. Remarks and statistics of the file, which quote values, stay behind.

    Args:
        source: the object.
        target: takes the copy.
        columns: those to mask.
        label: what to call the object in errors and references.
        search: looks at what was written.

    Raises:
        VerificationError: a value cannot be masked, or a mask does not fit the type of its column.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as file:
        schema = _plain(file.schema_arrow)
        with pq.ParquetWriter(
            # pages end where the values say, so that a few other rows give a few other chunks
            target,
            schema,
            compression="zstd",
            use_content_defined_chunking=True,
        ) as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, use_threads=False).cast(schema)
                table = _mask_group(table, schema, columns)
                look_into(table, label, search)
                writer.write_table(table)
        return int(file.metadata.num_rows)


def _plain(schema: Any) -> Any:
    """A schema without what its writer remarked on it and on its columns."""
    import pyarrow as pa

    return pa.schema([field.remove_metadata() for field in schema])


def _mask_group(table: Any, schema: Any, columns: Sequence[ColumnMasking]) -> Any:
    """A row group with its columns masked; every mask is made of what columns held before."""
    raw = table
    for column in columns:
        field = column.field
        beside = [texts_of(_whole(raw.column(index))) for index in field.beside]
        if field.path:
            whole = _whole(table.column(field.index))
            masked = replace_parts(whole, field.path, partial(_mask_part, column=column))
        else:
            masked = _mask(_whole(raw.column(field.index)), beside, column)
        column.rows += len(raw)
        table = table.set_column(field.index, schema.field(field.index), masked)
    return table


def _mask_part(values: Any, column: ColumnMasking) -> Any:
    return _mask(values, [], column, nested=True)


def _whole(values: Any) -> Any:
    import pyarrow as pa

    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)


def texts_of(values: Any) -> Any:
    """Values as texts, as Postgres writes them, so that the same value is masked the same in both stores."""
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.string())


def _mask(whole: Any, beside: list[Any], column: ColumnMasking, *, nested: bool = False) -> Any:
    """Masks a column, whatever its type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = whole.type
    if pa.types.is_dictionary(kind):
        whole = whole.dictionary_decode()
    if pa.types.is_binary(whole.type) or pa.types.is_nested(whole.type) or family_of(whole.type) is Family.OTHER:
        # null and constant, the only rules there, need no value; and not all of these types are hashed or compared
        mask = column.apply(strings([""]))[0].as_py()
        masked = pc.if_else(pc.is_null(whole), pa.scalar(None, whole.type), _scalar(mask, whole.type, column))
        column.changed += len(whole) - whole.null_count
    else:
        texts, *others = (values.cast(pa.large_string()) for values in (texts_of(whole), *beside))
        masked = _cast(column.apply(texts, others, tell_row=not nested), whole.type, column)
        _count_changes(masked, whole, column)
    return masked.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else masked


def _count_changes(masked: Any, whole: Any, column: ColumnMasking) -> None:
    import pyarrow.compute as pc

    column.changed += (pc.sum(pc.not_equal(masked, whole)).as_py() or 0) + masked.null_count - whole.null_count


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
                search.look(f"{label}.{name}", _lines(texts))


def _lines(texts: Any) -> bytes:
    """The different values of a column of texts or bytes, each in a line."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = pa.large_string() if family_of(texts.type) is Family.TEXT else pa.large_binary()
    different = texts.cast(kind).unique().drop_null()
    return taken_apart(pc.binary_join_element_wise(different, pa.scalar("", kind), pa.scalar("\n", kind)))[1]


def columns_with_texts(schema: Any) -> list[str]:
    """The names of the columns in which `look_into` finds something to search."""
    import pyarrow as pa

    return [field.name for field in schema if _texts(pa.chunked_array([], field.type))]


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
