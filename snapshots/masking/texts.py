"""Texts as columns: Arrow's arrays of texts, and the bytes that they consist of.

All arrays here are of the type `large_string` and without NULL, unless a function says otherwise.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

Texts = Any
"""An array of texts."""


def strings(texts: Iterable[str | None]) -> Texts:
    """Some texts as an array; None is NULL."""
    import pyarrow as pa

    some = list(texts)
    try:
        return pa.array(some, pa.large_string())
    except UnicodeEncodeError:  # half of a pair, which JSON can write and UTF-8 cannot
        data = [None if one is None else one.encode("utf-8", "surrogatepass") for one in some]
        return pa.array(data, pa.large_binary()).cast(pa.large_string(), safe=False)


def listed(texts: Texts) -> list[str | None]:
    """The inverse of `strings`."""
    import pyarrow as pa

    try:
        return list(texts.to_pylist())
    except UnicodeDecodeError:
        data = texts.cast(pa.large_binary()).to_pylist()
        return [None if one is None else one.decode("utf-8", "surrogatepass") for one in data]


def text(value: str) -> Any:
    """A text as a scalar, to be combined with an array."""
    import pyarrow as pa

    return pa.scalar(value, pa.large_string())


def joined(*parts: Any) -> Texts:
    """Texts put together of parts, row by row; arrays, and scalars for what is the same in every row."""
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(*parts, text(""))


def taken_apart(texts: Texts) -> tuple[Any, bytes]:
    """Where each text begins and where the last one ends, from 0, and the bytes of all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(texts):
        return pa.array([0], pa.int64()), b""
    _, offsets, data = texts.buffers()
    bounds = pa.Array.from_buffers(pa.int64(), len(texts) + 1, [None, offsets], offset=texts.offset)
    begin, end = bounds[0].as_py(), bounds[len(texts)].as_py()
    if begin or texts.offset:
        bounds = pc.subtract(bounds, pa.scalar(begin, pa.int64()))
    return bounds, data.slice(begin, end - begin).to_pybytes() if end > begin else b""


def put_together(bounds: Any, data: Any) -> Texts:
    """The inverse of `taken_apart`."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.large_string(), len(bounds) - 1, [None, bounds.buffers()[1], pa.py_buffer(data)])


def of_length(data: Any, length: int) -> Texts:
    """Texts of so many bytes each, one after the other."""
    import pyarrow as pa
    import pyarrow.compute as pc

    count = len(data) // length
    return put_together(pc.multiply(numbers_below(count + 1), pa.scalar(length, pa.int64())), data)


def numbers_below(count: int) -> Any:
    """The numbers from 0 on, so many of them."""
    return _numbers(max(1 << 17, 1 << count.bit_length()))[:count]


@lru_cache(2)
def _numbers(count: int) -> Any:
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(array("q", range(count)))])


def byte_numbers(data: Any, first: int = 0) -> Any:
    """Bytes as an array of numbers, without those before `first`."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.uint8(), len(data) - first, [None, pa.py_buffer(data)], offset=first)


def permuted(texts: Texts, alphabet: bytes, permute: Callable[[Texts], Texts]) -> Texts:
    """Replaces the characters of an alphabet, those of each text taken together, and leaves the others in place.

    Args:
        alphabet: ASCII characters.
        permute: gives texts of the same lengths for texts that consist of these characters.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    bounds, data = taken_apart(texts)
    chosen = data.translate(None, bytes(set(range(256)).difference(alphabet)))
    if not chosen:
        return texts
    if len(chosen) == len(data):
        return permute(texts)
    flags = b"\0" + data.translate(bytes(byte in alphabet for byte in range(256)))
    own = pc.cumulative_sum(byte_numbers(flags).cast(pa.uint32())).take(bounds).cast(pa.int64())
    _, images = taken_apart(permute(put_together(own, chosen)))
    whole = pc.replace_with_mask(byte_numbers(data), byte_numbers(flags, 1).cast(pa.bool_()), byte_numbers(images))
    return put_together(bounds, whole.buffers()[1])


def lowered(texts: Texts) -> Texts:
    """ASCII letters as small ones; all other characters stay."""
    bounds, data = taken_apart(texts)
    return put_together(bounds, data.lower())


def with_case(texts: Texts, like: Texts) -> Texts:
    """Small ASCII letters as capital ones wherever another text of the same length has such."""
    import pyarrow.compute as pc

    _, model = taken_apart(like)
    if model == model.lower():
        return texts
    bounds, data = taken_apart(texts)
    capitals = model.translate(bytes(32 * (65 <= byte <= 90) for byte in range(256)))
    changed = pc.subtract(byte_numbers(data), byte_numbers(capitals))
    return put_together(bounds, changed.buffers()[1].slice(0, len(data)))


def piecewise(texts: Texts, some: Any, change: Callable[[Texts], Texts], otherwise: Callable[[Texts], Texts]) -> Texts:
    """Changes some texts in one way and the others in another.

    Args:
        some: for each text whether `change` does.
        change, otherwise: give arrays of the same length.
    """
    import pyarrow.compute as pc

    count = pc.sum(some).as_py() or 0
    if count == len(texts):
        return change(texts)
    if not count:
        return otherwise(texts)
    others = pc.invert(some)
    changed = pc.replace_with_mask(texts, some, change(texts.filter(some)))
    return pc.replace_with_mask(changed, others, otherwise(texts.filter(others)))


def one_by_one(change: Callable[[str], str | None]) -> Callable[[Texts], Texts]:
    """What changes a text, as what changes an array of them."""

    def changed(texts: Texts) -> Texts:
        return strings(map(change, texts.to_pylist()))

    return changed
