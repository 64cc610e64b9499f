"""Rows of one table, by where they lie: their tuple identifiers, which do not change while a snapshot is held.

A row is kept as one number: its block times 65,536 plus its place in the block. Rows are thus known without their
values, so no key of production is held by whoever chooses rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 50_000
"""How many rows are named in one statement."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that are taken of one table that is not taken whole.

    Args:
        packed: their numbers, sorted, eight bytes each in this machine's order.
    """

    packed: bytes

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.packed) // 8

    def literals(self) -> Iterator[str]:
        """The rows as arrays of `tid` in SQL, some at a time, in the order in which they lie."""
        return literals(array("q", self.packed))


def literals(numbers: array[int]) -> Iterator[str]:
    """Rows as arrays of `tid` in SQL, `BATCH` at a time."""
    for start in range(0, len(numbers), BATCH):
        places = ",".join(f'"({number >> 16},{number & 65535})"' for number in numbers[start : start + BATCH])
        yield f"'{{{places}}}'::tid[]"


class RowSet:
    """A growing set of rows of one table.

    Args:
        whole: whether it is all of them, from the beginning and for good.
    """

    def __init__(self, whole: bool = False) -> None:
        self.whole = whole
        self._numbers: pa.Array | None = None

    def __len__(self) -> int:
        return 0 if self._numbers is None else len(self._numbers)

    def add(self, numbers: array[int]) -> array[int]:
        """Adds rows, and gives those that are new, sorted."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.whole or not numbers:
            return array("q")
        given = pc.unique(pa.array(memoryview(numbers), pa.int64()))
        if self._numbers is not None:
            given = given.filter(pc.invert(pc.is_in(given, self._numbers)))
        if not len(given):
            return array("q")
        given = given.take(pc.sort_indices(given))
        self._numbers = given if self._numbers is None else pa.concat_arrays([self._numbers, given])
        return _plain(given)

    def numbers(self) -> array[int]:
        """Its rows, sorted."""
        import pyarrow.compute as pc

        if self._numbers is None:
            return array("q")
        return _plain(self._numbers.take(pc.sort_indices(self._numbers)))

    def selection(self) -> Selection:
        """Its rows, for good."""
        return Selection(self.numbers().tobytes())


def _plain(numbers: pa.Array) -> array[int]:
    """An Arrow array of 64-bit numbers without NULL as plain ones."""
    found = array("q")
    begin = numbers.offset * 8
    found.frombytes(memoryview(numbers.buffers()[1])[begin : begin + len(numbers) * 8])
    return found
