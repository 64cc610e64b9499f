"""Ranges of a table: runs of its pages, so that several workers share one large table and a capture can go on half-way.

Ranges begin at multiples of a power of two of pages, so they are the same ones in the next capture, or halves or
doubles of them. Each is cut into chunks by itself; the chunks of a table are those of its ranges, in order. So rows
keep the order of the heap, and what is unchanged is the same chunks again, whoever reads which range.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import SourceTable

SMALLEST, LARGEST = 4 << 20, 64 << 20
"""Bytes of a range, unless somebody says otherwise."""
PARTS = 128
"""How many ranges all tables together should have at least: what is under way when a capture dies is done again."""
TID_RANGES = 140000
"""The first version of Postgres that reads a run of pages without reading those before it."""
TIDS = 291
"""Most rows of a page of 8 KiB."""


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """The rows on some pages of a table: from page `first` to before page `end`; without `end` to the last."""

    first: int = 0
    end: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it is all of the table."""
        return self.first == 0 and self.end is None

    def condition(self, server_version: int) -> str:
        """As a condition in SQL that the server answers by looking at these pages alone, in their order."""
        if server_version >= TID_RANGES or self.end is None:
            upper = "" if self.end is None else f" AND ctid < '({self.end},0)'"
            return f"ctid >= '({self.first},0)'{upper}"
        pages = f"generate_series({self.first}, {self.end - 1}) AS page CROSS JOIN generate_series(1, {TIDS}) AS item"
        return f"ctid = ANY (ARRAY(SELECT ('(' || page || ',' || item || ')')::tid FROM {pages}))"


WHOLE = Range()


def usual_size(tables: Iterable[SourceTable]) -> int:
    """How many bytes a range should have in a database of these tables."""
    return min(LARGEST, max(SMALLEST, sum(table.bytes for table in tables) // PARTS))


def ranges_of(table: SourceTable, size: int, server_version: int) -> tuple[Range, ...]:
    """The ranges of a table, in order; one, all of it, where it is small or has no pages that could be told apart.

    Args:
        size: bytes that a range should have, what is stored beside the pages included.
        server_version: as `server_version_num`.
    """
    if table.pages == 0 or table.bytes < 2 * size:
        return (WHOLE,)
    wanted = max(1, table.pages * size // table.bytes)
    pages = 1 << (wanted.bit_length() - 1)
    starts = range(0, table.pages, pages)
    if len(starts) < 2:
        return (WHOLE,)
    # what was added since its size was told is on later pages, and not in the snapshot
    end = None if server_version >= TID_RANGES else starts[-1] + pages
    return tuple(Range(start, start + pages) for start in starts[:-1]) + (Range(starts[-1], end),)
