"""The rule generalise: a value becomes the coarser one that it belongs to. It needs no key."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from dataops.snapshots.masking.base import Family, Masker, UnmaskableError
from dataops.snapshots.masking.hashed import split_date


class PeriodMasker(Masker):
    """A date becomes the first day of its month, quarter, year or decade; of a time the time zone stays."""

    families = frozenset({Family.DATE})

    def __init__(self, period: str) -> None:
        self._months = {"month": 1, "quarter": 3, "year": 12, "decade": 120}[period]

    def mask(self, value: str) -> str:
        if value in ("infinity", "-infinity"):
            return value
        day, time = split_date(value)
        months = int(day[:4]) * 12 + int(day[5:7]) - 1
        months = max(months - months % self._months, 12)
        zone = next((time[place:] for place in range(9, len(time)) if time[place] in "+-Z"), "")
        return f"{months // 12:04}-{months % 12 + 1:02}-01" + (f"{time[0]}00:00:00{zone}" if time else "")


class PrefixMasker(Masker):
    """Of a text the first characters stay; after them digits become 0 and letters X, as in `SW1A 0XX`."""

    families = frozenset({Family.TEXT})

    def __init__(self, length: int) -> None:
        self._length = length

    def mask(self, value: str) -> str:
        rest = "".join(_coarse(character) for character in value[self._length :])
        return value[: self._length] + rest


def _coarse(character: str) -> str:
    if character.isdecimal():
        return "0"
    if character.isalnum() or not character.isascii():
        return "x" if character.islower() else "X"
    return character


class RangeMasker(Masker):
    """A number becomes that end of its range which is nearest to zero, so that it still fits into its type."""

    families = frozenset({Family.INTEGER, Family.SMALLINT, Family.NUMBER})

    def __init__(self, width: Decimal) -> None:
        self._width = width

    def mask(self, value: str) -> str:
        try:
            number = Decimal(value)
            if not number.is_finite():
                return value
            lower = (number / self._width).to_integral_value("ROUND_DOWN") * self._width
        except InvalidOperation:
            raise UnmaskableError("a number is too large to be put into a range") from None
        return format(lower.normalize() if lower else Decimal(0), "f")
