"""Columns of values in binary COPY: arrays of bytes and of lengths, to be put together row by row."""

from __future__ import annotations

import struct
import sys
from array import array
from typing import Any

from dataops.snapshots.masking.texts import numbers_below

Column = Any
"""An array of one column, with NULL where there is none."""
NULL = -1
"""The length that stands for NULL."""


def bytes_of(data: Any) -> Any:
    """Some bytes as a scalar of Arrow's."""
    import pyarrow as pa

    return pa.scalar(data, pa.binary())


def length_of(size: int) -> Any:
    """The length that stands before a value."""
    return bytes_of(struct.pack("!i", size))


def values_of(column: Column) -> Any:
    """The bytes of a column of texts, one after the other."""
    if not len(column):
        return memoryview(b"")
    _, offsets, data = column.buffers()
    bounds = memoryview(offsets).cast("i")
    begin, end = bounds[column.offset], bounds[column.offset + len(column)]
    return memoryview(data)[begin:end] if data is not None else memoryview(b"")


def fixed(data: Any, size: int, column: Column) -> list[Any]:
    """Values of one size, which stand one after the other, where the column is not NULL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bounds = pc.multiply(counted(len(column) + 1), pa.scalar(size, pa.int32()))
    values = pa.Array.from_buffers(pa.binary(), len(column), [None, bounds.buffers()[1], pa.py_buffer(data)])
    if not column.null_count:
        return [length_of(size), values]
    return [pc.if_else(column.is_valid(), length_of(size), length_of(NULL)), where_valid(values, column)]


def where_valid(values: Any, column: Column) -> Any:
    """The values, but NULL wherever the column is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(column.is_valid(), values, pa.scalar(None, pa.binary())) if column.null_count else values


def lengths_of(column: Column) -> Any:
    """The length that stands before each value of a column of texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    sizes = pc.fill_null(pc.binary_length(column), NULL)
    bounds = pc.multiply(counted(len(column) + 1), pa.scalar(4, pa.int32()))
    data = pa.py_buffer(in_network_order(sizes, 4))
    return pa.Array.from_buffers(pa.binary(), len(column), [None, bounds.buffers()[1], data])


def bounds_of(column: Column) -> Any:
    """Where each value of a column of texts begins, and where the last one ends, from 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    offsets = pa.Array.from_buffers(pa.int32(), len(column) + 1, [None, column.buffers()[1]], offset=column.offset)
    return pc.subtract(offsets, offsets[0])


def counted(count: int) -> Any:
    """The numbers from 0 on, so many of them, as those of places in columns here."""
    import pyarrow as pa

    return numbers_below(count).cast(pa.int32())


def bytes_of_numbers(numbers: Any, size: int) -> bytes:
    """The bytes of numbers of a size, as the machine has them."""
    if not len(numbers):
        return b""
    begin = size * numbers.offset
    return bytes(memoryview(numbers.buffers()[1])[begin : begin + size * len(numbers)])


def in_network_order(numbers: Any, size: int) -> Any:
    """The bytes of numbers of a size, the most significant one first."""
    swapped = array({2: "H", 4: "I", 8: "Q"}[size])
    swapped.frombytes(bytes_of_numbers(numbers, size))
    if sys.byteorder == "little":
        swapped.byteswap()
    return swapped
