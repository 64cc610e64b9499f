"""Rules that pick by a keyed hash: hash, date_shift."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, timedelta

from dataops.snapshots.masking.base import Family, Masker, Row, UnmaskableError


class HashMasker(Masker):
    """The whole keyed BLAKE3 hash, 64 hexadecimal digits: no two values will ever share one."""

    injective = True
    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes) -> None:
        from blake3 import blake3

        self._key, self._hash = key, blake3

    def mask(self, value: str) -> str:
        return self._hash(value.encode(), key=self._key).hexdigest()


_DATE = re.compile(r"^(\d{4}-\d\d-\d\d)(?![^ T])(?!.* BC$)(.*)$", re.DOTALL)
SUBJECTS = 100_000


def split_date(value: str) -> tuple[str, str]:
    """A date or time of Postgres as `YYYY-MM-DD` and the rest.

    Raises:
        UnmaskableError: it lies outside the years 1 to 9999.
    """
    match = _DATE.match(value)
    if match is None:
        raise UnmaskableError("a date lies before the year 1 or after the year 9999")
    return match[1], match[2]


class DateShiftMasker(Masker):
    """Moves a date by 1 to `days` days either way; a time of day stays.

    How far depends on the date itself, or on the one whom it tells of where another column names them: then all dates
    of one person move alike, and the time between them stays.
    """

    families = frozenset({Family.DATE})

    def __init__(self, key: bytes, days: int) -> None:
        from blake3 import blake3

        self._key, self._hash, self._days = key, blake3, days
        self._moved: dict[str, str] = {}
        self._moved_by: dict[tuple[str, int], str] = {}
        self._shifts: dict[str, int] = {}

    def mask(self, value: str) -> str:
        if value in ("infinity", "-infinity"):
            return value
        day, time = split_date(value)
        if day not in self._moved:  # many times, few days: at most some 3.6 million
            self._moved[day] = _moved(day, self._shift(day))
        return self._moved[day] + time

    def mask_beside(self, value: str, beside: Row) -> str | None:
        return self.mask_rows([(value, *beside)])[value, *beside]

    def mask_rows(self, rows: Collection[Row]) -> dict[Row, str | None]:
        shifts, moved, found = self._shifts, self._moved_by, dict[Row, str | None]()
        for row in rows:
            value, subject = row[0] or "", row[1]
            if subject is None or value in ("infinity", "-infinity"):
                found[row] = self.mask(value)
                continue
            if (shift := shifts.get(subject)) is None:
                shift = self._shift_of(subject)
            day, time = split_date(value)
            if (new := moved.get((day, shift))) is None:  # many rows, few days
                if len(moved) >= SUBJECTS:
                    moved.clear()
                new = moved[day, shift] = _moved(day, shift)
            found[row] = new + time
        return found

    def _shift_of(self, subject: str) -> int:
        if len(self._shifts) >= SUBJECTS:
            self._shifts.clear()
        shift = self._shifts[subject] = self._shift(f"subject {subject.rstrip(' ')}")
        return shift

    def _shift(self, text: str) -> int:
        digest = self._hash(text.encode(), key=self._key).digest()
        choice = int.from_bytes(digest[:16], "big") % (2 * self._days)
        return choice - self._days if choice < self._days else choice - self._days + 1


def _moved(text: str, shift: int) -> str:
    day = date.fromisoformat(text)
    try:
        return (day + timedelta(shift)).isoformat()
    except OverflowError:
        return (day - timedelta(shift)).isoformat()
