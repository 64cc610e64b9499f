"""Rules that pick by a keyed hash: hash, name, date_shift."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

from dataops.snapshots.masking.base import Family, Masker, UnmaskableError


class HashMasker(Masker):
    """The whole keyed BLAKE3 hash, 64 hexadecimal digits: no two values will ever share one."""

    injective = True
    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes) -> None:
        from blake3 import blake3

        self._key, self._hash = key, blake3

    def mask(self, value: str) -> str:
        return self._hash(value.encode(), key=self._key).hexdigest()


@cache
def dictionary(name: str) -> tuple[str, ...]:
    """The words of one of the dictionaries beside this file; they were made once, with Faker."""
    text = (files("dataops.snapshots.masking") / "dictionaries" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(text.split())


class NameMasker(Masker):
    """A name of a dictionary; different people may get the same one.

    Args:
        key: 32 bytes.
        part: `full`, `first` or `last`.
    """

    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes, part: str) -> None:
        from blake3 import blake3

        self._key, self._hash = key, blake3
        parts = {"first": ("first_names",), "last": ("last_names",), "full": ("first_names", "last_names")}[part]
        self._words = [dictionary(name) for name in parts]

    def mask(self, value: str) -> str:
        if not value:
            return value
        digest = self._hash(value.strip().encode(), key=self._key).digest()
        number = int.from_bytes(digest[:16], "big")
        words = []
        for choice in self._words:
            number, index = divmod(number, len(choice))
            words.append(choice[index])
        return " ".join(words)


_DATE = re.compile(r"^(\d{4}-\d\d-\d\d)(?![^ T])(?!.* BC$)(.*)$", re.DOTALL)


class DateShiftMasker(Masker):
    """Moves a date by 1 to `days` days either way, depending on the date itself; a time of day stays."""

    families = frozenset({Family.DATE})

    def __init__(self, key: bytes, days: int) -> None:
        from blake3 import blake3

        self._key, self._hash, self._days = key, blake3, days
        self._moved: dict[str, str] = {}

    def mask(self, value: str) -> str:
        if value in ("infinity", "-infinity"):
            return value
        match = _DATE.match(value)
        if match is None:
            raise UnmaskableError("a date lies before the year 1 or after the year 9999")
        day, time = match.groups()
        if day not in self._moved:  # many times, few days: at most some 3.6 million
            self._moved[day] = self._move(day)
        return self._moved[day] + time

    def _move(self, text: str) -> str:
        day = date.fromisoformat(text)
        digest = self._hash(text.encode(), key=self._key).digest()
        choice = int.from_bytes(digest[:16], "big") % (2 * self._days)
        shift = choice - self._days if choice < self._days else choice - self._days + 1
        try:
            return (day + timedelta(shift)).isoformat()
        except OverflowError:
            return (day - timedelta(shift)).isoformat()
