"""What is picked by a keyed hash, for whole columns."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from typing import Any

from dataops.snapshots.masking.ff1 import number
from dataops.snapshots.masking.texts import Texts


def keyed_hashes(key: bytes, values: Iterable[str], size: int) -> bytes:
    """The first bytes of the keyed BLAKE3 hash of each value, one after the other."""
    from blake3 import blake3

    hasher, found = blake3(key=key), list[bytes]()
    reset, update, digest = hasher.reset, hasher.update, hasher.digest  # one for all takes half of one for each
    for value in values:
        reset()
        update(value.encode())
        found.append(digest(size))
    return b"".join(found)


class Choices:
    """Picks for each row, one after the other, what its hash says.

    Args:
        key: 32 bytes.
        values: what each row has a hash of.
    """

    def __init__(self, key: bytes, values: Iterable[str]) -> None:
        import pyarrow as pa

        # sixteen bytes of each hash are a number, highest byte first
        parts = array("I", keyed_hashes(key, values, 16))
        if sys.byteorder == "little":
            parts.byteswap()
        columns = (pa.py_buffer(parts[place::4]) for place in range(4))
        self._parts = [
            pa.Array.from_buffers(pa.uint32(), len(parts) // 4, [None, column]).cast(pa.uint64()) for column in columns
        ]

    def below(self, bound: int) -> Any:
        """Numbers from 0 up to, not including, a bound of less than four bytes."""
        import pyarrow.compute as pc

        rest = None
        for place, part in enumerate(self._parts):  # a long division by four bytes at a time
            total = part if rest is None else pc.bit_wise_or(pc.shift_left(rest, number(32)), part)
            quotient = pc.divide(total, number(bound))
            rest = pc.subtract(total, pc.multiply(quotient, number(bound)))
            self._parts[place] = quotient
        return rest

    def of(self, words: Texts) -> Texts:
        """Some of some texts."""
        return words.take(self.below(len(words)))
