"""Rules that pick by a keyed hash: hash, date_shift."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta

from dataops.snapshots.masking.base import Family, UnmaskableError, VectorMasker
from dataops.snapshots.masking.texts import Texts, joined, of_length, one_by_one, piecewise, strings


class HashMasker(VectorMasker):
    """The whole keyed BLAKE3 hash, 64 hexadecimal digits: no two values will ever share one."""

    injective = True
    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes) -> None:
        from blake3 import blake3

        self._key, self._hash = key, blake3

    def masks(self, values: Texts) -> Texts:
        key, hash_ = self._key, self._hash
        return of_length(b"".join([hash_(v.encode(), key=key).hexdigest().encode() for v in values.to_pylist()]), 64)


_DATE = re.compile(r"^(\d{4}-\d\d-\d\d)(?![^ T])(?!.* BC$)(.*)$", re.DOTALL)
SUBJECTS = 100_000
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
    _first, _last = -719_162, 2_932_896
    """The days of the years 1 to 9999, as Arrow numbers them."""

    def __init__(self, key: bytes, days: int) -> None:
        from blake3 import blake3

        self._key, self._hash, self._days = key, blake3, days
        self._moved: dict[str, str] = {}
        self._shifts: dict[str, int] = {}

    def masks(self, values: Texts) -> Texts:
        import pyarrow.compute as pc

        def move(dates: Texts) -> Texts:
            days = pc.utf8_slice_codeunits(dates, 0, DAY).dictionary_encode()
            moved = strings(map(self._moved_day, days.dictionary.to_pylist()))
            return joined(moved.take(days.indices), pc.utf8_slice_codeunits(dates, DAY))

        return piecewise(values, pc.match_substring_regex(values, self._usual), move, one_by_one(self._mask))

    def masks_beside(self, values: Texts, beside: Sequence[Texts]) -> Texts:
        import pyarrow.compute as pc

        subjects = beside[0]
        together = pc.and_(pc.match_substring_regex(values, self._usual), pc.is_valid(subjects))
        own = subjects.filter(together)
        others = subjects.filter(pc.invert(together)).to_pylist()

        def move_others(dates: Texts) -> Texts:
            pairs = zip(dates.to_pylist(), others, strict=True)
            return strings(self._mask(date, None if who is None else self._shift_of(who)) for date, who in pairs)

        return piecewise(values, together, lambda dates: self._move(dates, own), move_others)

    def _move(self, dates: Texts, subjects: Texts) -> Texts:
        """Usual dates moved as those whom they tell of are."""
        import pyarrow as pa
        import pyarrow.compute as pc

        who = subjects.dictionary_encode()
        shifts = pa.array(map(self._shift_of, who.dictionary.to_pylist()), pa.int32()).take(who.indices)
        try:
            days = pc.utf8_slice_codeunits(dates, 0, DAY).cast(pa.date32()).cast(pa.int32())
        except pa.ArrowInvalid:
            raise UnmaskableError("a value is no date") from None
        moved = pc.add(days, shifts)
        within = pc.and_(pc.greater_equal(moved, self._first), pc.less_equal(moved, self._last))
        moved = pc.if_else(within, moved, pc.subtract(days, shifts)).cast(pa.date32())
        return joined(moved.cast(pa.string()).cast(pa.large_string()), pc.utf8_slice_codeunits(dates, DAY))

    def _mask(self, value: str, shift: int | None = None) -> str:
        """Any date, infinity included."""
        if value in ("infinity", "-infinity"):
            return value
        day, time = split_date(value)
        return (self._moved_day(day) if shift is None else _moved(day, shift)) + time

    def _moved_day(self, day: str) -> str:
        """A day moved as itself says; many times have few days: at most some 3.6 million."""
        if day not in self._moved:
            self._moved[day] = _moved(day, self._shift(day))
        return self._moved[day]

    def _shift_of(self, subject: str) -> int:
        if (shift := self._shifts.get(subject)) is None:
            if len(self._shifts) >= SUBJECTS:
                self._shifts.clear()
            shift = self._shifts[subject] = self._shift(f"subject {subject.rstrip(' ')}")
        return shift

    def _shift(self, text: str) -> int:
        digest = self._hash(text.encode(), key=self._key).digest()
        choice = int.from_bytes(digest[:16], "big") % (2 * self._days)
        return choice - self._days if choice < self._days else choice - self._days + 1


def _moved(text: str, shift: int) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UnmaskableError("a value is no date") from None
    try:
        return (day + timedelta(shift)).isoformat()
    except OverflowError:
        return (day - timedelta(shift)).isoformat()
