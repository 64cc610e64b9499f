"""Values of COPY text as a server sends and receives them in binary, a whole column at a time.

The binary forms are those of the `…recv` functions of Postgres; a property test compares them with its `…send`. What a
column holds is not always what can be encoded here: dates beyond the year 9999 or `infinity` are left to the server.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Column = Any
"""An array of one column, with NULL where there is none."""
NULL = -1
"""The length that stands for NULL."""
POSTGRES_EPOCH = 10_957
"""Days from 1970-01-01, where Arrow counts from, to 2000-01-01."""
DAY = 86_400_000_000
"""Microseconds."""
_UUID, _HEX = 36, 32
_NEGATIVE = 0x40
"""The first byte of the sign of a negative `numeric`."""
_MOST_GROUPS = 64
"""Groups of four digits of a `numeric`, where to have as many for each value of a column still pays."""
_DIGITS = bytes(byte - 48 if 48 <= byte <= 57 else 0 for byte in range(256))


class UnusualError(Exception):
    """A column has values that are not encoded here. Says nothing of them."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the values of a type are encoded.

    Args:
        arrow: the type that Arrow's reader of CSV makes of the fields, by the name of what makes it in `pyarrow`.
        encode: makes of such a column what stands in each row, one after the other: arrays, and scalars for what is the
            same in every row. Raises `UnusualError`.
    """

    arrow: Callable[[], Any]
    encode: Callable[[Column], list[Any]]


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


def texts(column: Column) -> list[Any]:
    """Texts, and all that is received as text: the bytes as they are, each with its length."""
    return [_lengths(column), column]


def documents(column: Column) -> list[Any]:
    """`jsonb`: the text after the number of the form's version."""
    import pyarrow.compute as pc

    version = bytes_of(b"\1")
    texts_with = pc.binary_join_element_wise(version, column, bytes_of(b""))
    return [_lengths(texts_with), texts_with]


def octets(column: Column) -> list[Any]:
    """`bytea`, of hexadecimal digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    prefixed = pc.fill_null(column, b"\\x")
    if not pc.all(pc.starts_with(prefixed, "\\x")).as_py():
        raise UnusualError
    data = _of_hexadecimal(bytes(values_of(prefixed)).translate(None, b"\\x"))
    two = pa.scalar(2, pa.int32())
    bounds = pc.subtract(pc.divide(_bounds(prefixed), two), _counted(len(column) + 1))
    if bounds[len(column)].as_py() != len(data):  # a digit was left over, or something else stood among them
        raise UnusualError
    plain = pa.Array.from_buffers(pa.binary(), len(column), [None, bounds.buffers()[1], pa.py_buffer(data)])
    return texts(_where_valid(plain, column))


def uuids(column: Column) -> list[Any]:
    """`uuid`, as Postgres writes it."""
    import pyarrow.compute as pc

    filled = pc.fill_null(column, b"0" * 8 + b"-0000" * 3 + b"-" + b"0" * 12) if column.null_count else column
    digits = bytes(values_of(filled)).translate(None, b"-")
    if len(digits) != _HEX * len(column) or not pc.all(pc.equal(pc.binary_length(filled), _UUID)).as_py():
        raise UnusualError
    data = _of_hexadecimal(digits)
    if 2 * len(data) != len(digits):
        raise UnusualError
    return _fixed(data, _HEX // 2, column)


def integers(size: int) -> Callable[[Column], list[Any]]:
    """Numbers of so many bytes, the floating ones included."""

    def encode(column: Column) -> list[Any]:
        return _fixed(_in_network_order(column, size), size, column)

    return encode


def floats(size: int) -> Callable[[Column], list[Any]]:
    """Floating numbers of so many bytes."""

    def encode(column: Column) -> list[Any]:
        import pyarrow.compute as pc

        if pc.any(pc.is_inf(column)).as_py():  # which may be a number that is too large
            raise UnusualError
        return _fixed(_in_network_order(column, size), size, column)

    return encode


def truths(column: Column) -> list[Any]:
    """`boolean`."""
    import pyarrow as pa

    return _fixed(_plain(column.cast(pa.uint8()), 1), 1, column)


def dates(column: Column) -> list[Any]:
    """`date`: days."""
    import pyarrow as pa
    import pyarrow.compute as pc

    days = pc.subtract(column.cast(pa.int32()), pa.scalar(POSTGRES_EPOCH, pa.int32()))
    return _fixed(_in_network_order(days, 4), 4, column)


def moments(column: Column) -> list[Any]:
    """`timestamp` and `timestamptz`: microseconds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    since = pc.subtract(column.cast(pa.int64()), pa.scalar(POSTGRES_EPOCH * DAY, pa.int64()))
    return _fixed(_in_network_order(since, 8), 8, column)


def numerics(column: Column) -> list[Any]:
    """`numeric`: groups of four decimal digits, as many for every value of the column.

    Groups of zeros at either end are allowed; the server strips them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if bytes(values_of(column)).translate(None, b"-.0123456789"):
        raise UnusualError  # NaN and Infinity
    written = pc.fill_null(column, b"0").cast(pa.string())
    negative = pc.starts_with(written, "-")
    if pc.any(negative).as_py():
        written = pc.utf8_ltrim(written, "-")
    lengths, point = pc.binary_length(written), pc.find_substring(written, ".")
    whole = pc.if_else(pc.less(point, 0), lengths, point)
    scales = pc.if_else(pc.less(point, 0), 0, pc.subtract(pc.subtract(lengths, point), 1))
    most = pc.min_max(scales).as_py()
    scale = most["max"] or 0
    before, after = -(-(pc.max(whole).as_py() or 0) // 4), -(-scale // 4)
    if before + after > _MOST_GROUPS:
        raise UnusualError
    plain = pc.replace_substring(written, ".", "") if scale else written
    if most["min"] != scale:  # those with fewer places after the point get as many
        places = pc.cast(pc.subtract(scale, scales), pa.int64())
        plain = pc.binary_join_element_wise(plain, pc.binary_repeat(pa.scalar("0"), places), "")
    digits = bytes(values_of(pc.utf8_lpad(plain, 4 * before + scale, "0"))).translate(_DIGITS)
    return _numerics_of(digits, (before, after, scale), negative, scales, column)


def _numerics_of(digits: bytes, shape: tuple[int, int, int], negative: Any, scales: Any, column: Column) -> list[Any]:
    """The values of digits, one byte each; of each value `4 * before + scale`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    before, after, scale = shape
    count, groups, width = len(column), before + after, 4 * before + scale
    size = 8 + 2 * groups
    data = bytearray(struct.pack("!hhhh", groups, before - 1, 0, 0) + bytes(2 * groups)) * count
    data[4::size] = _plain(pc.if_else(negative, pa.scalar(_NEGATIVE, pa.uint8()), pa.scalar(0, pa.uint8())), 1)
    _place(data, scales.cast(pa.uint16()), 6, size)
    ten = pa.scalar(10, pa.uint16())
    for group in range(groups):
        total = None
        for place in range(4 * group, 4 * group + 4):
            total = None if total is None else pc.multiply(total, ten)
            if place < width:
                one = pa.Array.from_buffers(pa.uint8(), count, [None, pa.py_buffer(digits[place::width])])
                digit = one.cast(pa.uint16())
                total = digit if total is None else pc.add(total, digit)
        _place(data, total, 8 + 2 * group, size)
    return _fixed(data, size, column)


def _place(data: bytearray, numbers: Any, at: int, size: int) -> None:
    """Writes numbers of two bytes, one into each record of a size."""
    ordered = bytes(_in_network_order(numbers, 2))
    data[at::size], data[at + 1 :: size] = ordered[0::2], ordered[1::2]


def _fixed(data: Any, size: int, column: Column) -> list[Any]:
    """Values of one size, which stand one after the other, where the column is not NULL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bounds = pc.multiply(_counted(len(column) + 1), pa.scalar(size, pa.int32()))
    values = pa.Array.from_buffers(pa.binary(), len(column), [None, bounds.buffers()[1], pa.py_buffer(data)])
    if not column.null_count:
        return [length_of(size), values]
    return [pc.if_else(column.is_valid(), length_of(size), length_of(NULL)), _where_valid(values, column)]


def _where_valid(values: Any, column: Column) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(column.is_valid(), values, pa.scalar(None, pa.binary())) if column.null_count else values


def _lengths(column: Column) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    sizes = pc.fill_null(pc.binary_length(column), NULL)
    bounds = pc.multiply(_counted(len(column) + 1), pa.scalar(4, pa.int32()))
    data = pa.py_buffer(_in_network_order(sizes, 4))
    return pa.Array.from_buffers(pa.binary(), len(column), [None, bounds.buffers()[1], data])


def _bounds(column: Column) -> Any:
    """Where each value of a column of texts begins, and where the last one ends, from 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    offsets = pa.Array.from_buffers(pa.int32(), len(column) + 1, [None, column.buffers()[1]], offset=column.offset)
    return pc.subtract(offsets, offsets[0])


def _counted(count: int) -> Any:
    """The numbers from 0 on, so many of them."""
    return _numbers(max(1 << 16, 1 << count.bit_length()))[:count]


@lru_cache(2)
def _numbers(count: int) -> Any:
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int32(), count, [None, pa.py_buffer(array("i", range(count)))])


def _plain(numbers: Any, size: int) -> bytes:
    """The bytes of numbers of a size, as the machine has them."""
    if not len(numbers):
        return b""
    begin = size * numbers.offset
    return bytes(memoryview(numbers.buffers()[1])[begin : begin + size * len(numbers)])


def _in_network_order(numbers: Any, size: int) -> Any:
    """The bytes of numbers of a size, the most significant one first."""
    swapped = array({2: "H", 4: "I", 8: "Q"}[size])
    swapped.frombytes(_plain(numbers, size))
    if sys.byteorder == "little":
        swapped.byteswap()
    return swapped


def _of_hexadecimal(digits: Any) -> bytes:
    try:
        return bytes.fromhex(str(digits, "ascii"))
    except ValueError:
        raise UnusualError from None


def _arrow(name: str, *arguments: str) -> Callable[[], Any]:
    def make() -> Any:
        import pyarrow as pa

        return getattr(pa, name)(*arguments)

    return make


_TEXT = Encoding(_arrow("binary"), texts)
ENCODINGS: Mapping[str, Encoding] = {
    "bool": Encoding(_arrow("bool_"), truths),
    "int2": Encoding(_arrow("int16"), integers(2)),
    "int4": Encoding(_arrow("int32"), integers(4)),
    "int8": Encoding(_arrow("int64"), integers(8)),
    "oid": Encoding(_arrow("uint32"), integers(4)),
    "float4": Encoding(_arrow("float32"), floats(4)),
    "float8": Encoding(_arrow("float64"), floats(8)),
    "numeric": Encoding(_arrow("binary"), numerics),
    "date": Encoding(_arrow("date32"), dates),
    "time": Encoding(_arrow("time64", "us"), integers(8)),
    "timestamp": Encoding(_arrow("timestamp", "us"), moments),
    "timestamptz": Encoding(_arrow("timestamp", "us", "UTC"), moments),
    "text": _TEXT,
    "varchar": _TEXT,
    "bpchar": _TEXT,
    "json": _TEXT,
    "enum": _TEXT,
    "jsonb": Encoding(_arrow("binary"), documents),
    "bytea": Encoding(_arrow("binary"), octets),
    "uuid": Encoding(_arrow("binary"), uuids),
}
"""The types that are encoded here, by their name in `pg_type`; `enum` stands for every enumeration."""
