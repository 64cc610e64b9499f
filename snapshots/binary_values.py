"""Values of COPY text as a server sends and receives them in binary, a whole column at a time.

The binary forms are those of the `…recv` functions of Postgres; a property test compares them with its `…send`. What a
column holds is not always what can be encoded here: dates beyond the year 9999 or `infinity` are left to the server.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dataops.snapshots.binary_columns import (
    Column,
    bounds_of,
    bytes_of,
    bytes_of_numbers,
    counted,
    fixed,
    in_network_order,
    lengths_of,
    values_of,
    where_valid,
)

POSTGRES_EPOCH = 10_957
"""Days from 1970-01-01, where Arrow counts from, to 2000-01-01."""
DAY = 86_400_000_000
"""Microseconds."""
_UUID, _HEX, _HYPHENS = 36, 32, (8, 13, 18, 23)
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
        arrow: gives the type as which Arrow's reader of CSV reads the fields.
        encode: makes of such a column what stands in each row, one after the other: arrays, and scalars for what is the
            same in every row. Raises `UnusualError`.
    """

    arrow: Callable[[], Any]
    encode: Callable[[Column], list[Any]]


def texts(column: Column) -> list[Any]:
    """Texts, and all that is received as text: the bytes as they are, each with its length."""
    return [lengths_of(column), column]


def documents(column: Column) -> list[Any]:
    """`jsonb`: the text after the number of the form's version."""
    import pyarrow.compute as pc

    versioned = pc.binary_join_element_wise(bytes_of(b"\1"), column, bytes_of(b""))
    return texts(versioned)


def octets(column: Column) -> list[Any]:
    """`bytea`, of hexadecimal digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    prefixed = pc.fill_null(column, b"\\x")
    if not pc.all(pc.starts_with(prefixed, "\\x")).as_py():
        raise UnusualError
    if pc.max(pc.bit_wise_and(pc.binary_length(prefixed), 1)).as_py():
        raise UnusualError
    data = _of_hexadecimal(bytes(values_of(prefixed)).translate(None, b"\\x"))
    bounds = pc.subtract(pc.divide(bounds_of(prefixed), pa.scalar(2, pa.int32())), counted(len(column) + 1))
    if bounds[len(column)].as_py() != len(data):  # something else stood among the digits
        raise UnusualError
    plain = pa.Array.from_buffers(pa.binary(), len(column), [None, bounds.buffers()[1], pa.py_buffer(data)])
    return texts(where_valid(plain, column))


def uuids(column: Column) -> list[Any]:
    """`uuid`, as Postgres writes it."""
    import pyarrow.compute as pc

    filled = pc.fill_null(column, b"0" * 8 + b"-0000" * 3 + b"-" + b"0" * 12) if column.null_count else column
    written = bytes(values_of(filled))
    digits = written.translate(None, b"-")
    if not pc.all(pc.equal(pc.binary_length(filled), _UUID)).as_py() or len(digits) != _HEX * len(column):
        raise UnusualError
    if any(written[place::_UUID] != b"-" * len(column) for place in _HYPHENS):
        raise UnusualError
    data = _of_hexadecimal(digits)
    if 2 * len(data) != len(digits):  # there was a blank
        raise UnusualError
    return fixed(data, _HEX // 2, column)


def integers(size: int) -> Callable[[Column], list[Any]]:
    """Whole numbers of so many bytes, and `time`, which is one: microseconds."""

    def encode(column: Column) -> list[Any]:
        return fixed(in_network_order(column, size), size, column)

    return encode


def floats(size: int) -> Callable[[Column], list[Any]]:
    """Floating numbers of so many bytes."""

    def encode(column: Column) -> list[Any]:
        import pyarrow.compute as pc

        if pc.any(pc.is_inf(column)).as_py():  # which may be a number that is too large
            raise UnusualError
        return fixed(in_network_order(column, size), size, column)

    return encode


def truths(column: Column) -> list[Any]:
    """`boolean`."""
    import pyarrow as pa

    return fixed(bytes_of_numbers(column.cast(pa.uint8()), 1), 1, column)


def dates(column: Column) -> list[Any]:
    """`date`: days."""
    import pyarrow as pa
    import pyarrow.compute as pc

    days = pc.subtract(column.cast(pa.int32()), pa.scalar(POSTGRES_EPOCH, pa.int32()))
    return fixed(in_network_order(days, 4), 4, column)


def moments(column: Column) -> list[Any]:
    """`timestamp` and `timestamptz`: microseconds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    since = pc.subtract(column.cast(pa.int64()), pa.scalar(POSTGRES_EPOCH * DAY, pa.int64()))
    return fixed(in_network_order(since, 8), 8, column)


def numerics(column: Column) -> list[Any]:
    """`numeric`: groups of four decimal digits, as many for every value of the column.

    Groups of zeros at either end are allowed; the server strips them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    characters = bytes(values_of(column))
    if characters.translate(None, b"-.0123456789"):
        raise UnusualError  # NaN and Infinity
    written = pc.fill_null(column, b"0").cast(pa.string())
    negative = pc.starts_with(written, "-")
    if pc.any(negative).as_py():
        written = pc.utf8_ltrim(written, "-")
    lengths, point = pc.binary_length(written), pc.find_substring(written, ".")
    pointed = pc.greater_equal(point, 0)
    signs, points = pc.sum(negative).as_py() or 0, pc.sum(pointed).as_py() or 0
    empty = pc.any(pc.equal(lengths, pointed.cast(pa.int32()))).as_py()
    if empty or (characters.count(b"-"), characters.count(b".")) != (signs, points):
        raise UnusualError  # no number
    whole = pc.if_else(pointed, point, lengths)
    scales = pc.if_else(pointed, pc.subtract(pc.subtract(lengths, point), 1), 0)
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
    data[4::size] = bytes_of_numbers(
        pc.if_else(negative, pa.scalar(_NEGATIVE, pa.uint8()), pa.scalar(0, pa.uint8())), 1
    )
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
    return fixed(data, size, column)


def _place(data: bytearray, numbers: Any, at: int, size: int) -> None:
    """Writes numbers of two bytes, one into each record of a size."""
    ordered = bytes(in_network_order(numbers, 2))
    data[at::size], data[at + 1 :: size] = ordered[0::2], ordered[1::2]


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
