"""Rules that pick by a keyed hash: hash, date_shift."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from dataops.snapshots.masking.base import Family, UnmaskableError, VectorMasker
from dataops.snapshots.masking.choices import Choices, keyed_hashes
from dataops.snapshots.masking.texts import Texts, joined, of_length, piecewise, strings, text


class HashMasker(VectorMasker):
    """The whole keyed BLAKE3 hash, 64 hexadecimal digits: no two values will ever share one."""

    injective = True
    remembered = True
    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes) -> None:
        self._key = key

    def masks(self, values: Texts) -> Texts:
        return of_length(keyed_hashes(self._key, values.to_pylist(), 32).hex().encode(), 64)


_DATE = re.compile(r"^(\d{4}-\d\d-\d\d)(?![^ T])(?!.* BC$)(.*)$", re.DOTALL)
DAY = len("2013-01-01")


def split_date(value: str) -> tuple[str, str]:
    """A date or time of Postgres as `YYYY-MM-DD` and the rest.

    Raises:
        UnmaskableError: it lies outside the years 1 to 9999.
    """
    match = _DATE.match(value)
    if match is None:
        raise UnmaskableError("a date lies before the year 1 or after the year 9999")
    return match[1], match[2]


class DateShiftMasker(VectorMasker):
    """Moves a date by 1 to `days` days either way; a time of day stays.

    How far depends on the date itself, or on the one whom it tells of where another column names them: then all dates
    of one person move alike, and the time between them stays.
    """

    families = frozenset({Family.DATE})
    _usual = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][^B]*)?$"
    _first, _last = date.min.toordinal(), date.max.toordinal()
    _epoch = date(1970, 1, 1).toordinal()

    def __init__(self, key: bytes, days: int) -> None:
        self._key, self._days = key, days

    def masks(self, values: Texts) -> Texts:
        import pyarrow.compute as pc

        def move(dates: Texts) -> Texts:
            return self._move(dates, pc.utf8_slice_codeunits(dates, 0, DAY))

        def move_each(dates: Texts) -> Texts:
            return strings(map(self._mask, dates.to_pylist()))

        return piecewise(values, pc.match_substring_regex(values, self._usual), move, move_each)

    def masks_beside(self, values: Texts, beside: Sequence[Texts]) -> Texts:
        import pyarrow.compute as pc

        subjects = joined(text("subject "), pc.utf8_rtrim(beside[0], " "))
        together = pc.and_(pc.match_substring_regex(values, self._usual), pc.is_valid(subjects))
        own, others = subjects.filter(together), subjects.filter(pc.invert(together))

        def move(dates: Texts) -> Texts:
            return self._move(dates, own)

        def move_each(dates: Texts) -> Texts:
            return strings(map(self._mask, dates.to_pylist(), others.to_pylist()))

        return piecewise(values, together, move, move_each)

    def _move(self, dates: Texts, by: Texts) -> Texts:
        """Dates without anything unusual, moved as far as the hashes of other texts say."""
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            days = pc.utf8_slice_codeunits(dates, 0, DAY).cast(pa.date32()).cast(pa.int32())
        except pa.ArrowInvalid:
            raise UnmaskableError("a value is no date") from None
        different = by.dictionary_encode()
        shifts = self._shifts(different.dictionary.to_pylist()).take(different.indices)
        moved = pc.add(days, shifts)
        first, last = self._first - self._epoch, self._last - self._epoch
        within = pc.and_(pc.greater_equal(moved, first), pc.less_equal(moved, last))
        moved = pc.if_else(within, moved, pc.subtract(days, shifts)).cast(pa.date32())
        return joined(moved.cast(pa.string()).cast(pa.large_string()), pc.utf8_slice_codeunits(dates, DAY))

    def _mask(self, value: str, by: str | None = None) -> str:
        """Any date, infinity included."""
        if value in ("infinity", "-infinity"):
            return value
        day, time = split_date(value)
        try:
            own = date.fromisoformat(day).toordinal()
        except ValueError:
            raise UnmaskableError("a value is no date") from None
        shift = self._shifts([day if by is None else by])[0].as_py()
        moved = own + shift if self._first <= own + shift <= self._last else own - shift
        return date.fromordinal(moved).isoformat() + time

    def _shifts(self, texts: Sequence[str]) -> Any:
        """By how many days some texts say that is moved."""
        import pyarrow as pa
        import pyarrow.compute as pc

        chosen = pc.subtract(Choices(self._key, texts).below(2 * self._days).cast(pa.int32()), self._days)
        return pc.if_else(pc.less(chosen, 0), chosen, pc.add(chosen, 1)).cast(pa.int32())
