"""Nested columns of Parquet files: a part of them is replaced, their structure stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MAP_KEY = "key"
MAP_VALUE = "value"


def is_list(kind: Any) -> bool:
    """Whether a type is one of Arrow's lists."""
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def part_of(values: Any, path: tuple[str, ...]) -> Any:
    """The values of one part of a nested column."""
    import pyarrow as pa

    found: list[Any] = []

    def collect(part: Any) -> Any:
        found.append(part)
        return part

    replace_parts(pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type), path, collect)
    return found[0]


def replace_parts(values: Any, path: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    """A nested array in which one part is another one.

    Args:
        values: the array; it must not be a slice.
        path: of the part: names of struct fields, `[]` for the items of a list or a map, of which `key` and `value`
            are the parts.
        change: gives the new array for the old one, of the same length and type.
    """
    import pyarrow as pa

    if not path:
        return change(values)
    kind = values.type
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        children = [
            replace_parts(values.field(i), path[1:], change) if field.name == path[0] else values.field(i)
            for i, field in enumerate(fields)
        ]
        return pa.StructArray.from_arrays(children, fields=fields, mask=values.is_null())
    mask = values.is_null() if values.null_count else None
    if pa.types.is_map(kind):
        keys, items = values.keys, values.items
        if path[1] == MAP_KEY:
            keys = replace_parts(keys, path[2:], change)
        else:
            items = replace_parts(items, path[2:], change)
        return pa.MapArray.from_arrays(values.offsets, keys, items, kind, mask=mask)
    inner = replace_parts(values.values, path[1:], change)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(inner, type=kind, mask=mask)
    whole = pa.LargeListArray if pa.types.is_large_list(kind) else pa.ListArray
    return whole.from_arrays(values.offsets, inner, type=kind, mask=mask)
