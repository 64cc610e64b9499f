"""The protocol of maskers, the families of types that they serve, and the derivation of their keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum
from typing import ClassVar

from dataops.snapshots.masking.texts import Texts, listed, strings

Row = tuple[str | None, ...]
"""A value and the values of other columns in its row; the value itself is never None."""


class Family(Enum):
    """Types that are alike to a masker; INTEGER is four or eight bytes wide, SMALLINT two."""

    TEXT = "text"
    INTEGER = "integer"
    SMALLINT = "smallint"
    NUMBER = "number"
    DATE = "date"
    UUID = "uuid"
    JSON = "json"
    OTHER = "other"


class UnmaskableError(Exception):
    """A value that a masker cannot serve. Says why, never which; whoever knows the column makes it a user's error.

    Args:
        add: lines for `dataops.yaml` that would help, by the part of the column that they are for.
    """

    def __init__(self, why: str, add: Sequence[str] = ()) -> None:
        super().__init__(why)
        self.add = tuple(add)


class Masker:
    """What a rule does to the values of a column.

    Class attributes:
        injective: different values stay different.
        families: the types it serves.
    """

    injective: ClassVar[bool] = False
    families: ClassVar[frozenset[Family]] = frozenset(Family)

    def mask(self, value: str) -> str | None:
        """The masked value; the same one for the same value, always.

        Raises:
            UnmaskableError: this masker cannot serve the value.
        """
        raise UnmaskableError("no rule")

    def mask_all(self, values: Collection[str]) -> dict[str, str | None]:
        """Masks distinct values; the same masks as `mask` gives, perhaps sooner."""
        mask = self.mask
        return {value: mask(value) for value in values}

    def mask_beside(self, value: str, beside: Row) -> str | None:
        """The masked value where other columns of its row have a part in it.

        Args:
            beside: their values, in the order in which the rule names the columns.
        """
        return self.mask(value)

    def mask_rows(self, rows: Collection[Row]) -> dict[Row, str | None]:
        """Masks distinct values, each with those beside it."""
        return {row: self.mask_beside(row[0] or "", row[1:]) for row in rows}


class ColumnMasker(Masker):
    """A masker that is made for many values at once."""

    def masks(self, values: Sequence[str]) -> Sequence[str | None]:
        """The masks of some values, in their order.

        Raises:
            UnmaskableError: this masker cannot serve one of them.
        """
        raise UnmaskableError("no rule")

    def mask(self, value: str) -> str | None:
        return self.masks([value])[0]

    def mask_all(self, values: Collection[str]) -> dict[str, str | None]:
        some = list(values)
        return dict(zip(some, self.masks(some), strict=True))


class VectorMasker(Masker):
    """A masker that works on whole columns of Arrow.

    Class attributes:
        remembered: to look a mask up takes less than to make it.
    """

    remembered: ClassVar[bool] = False

    def masks(self, values: Texts) -> Texts:
        """The masks of some values, in their order; NULL may be among them.

        Args:
            values: without NULL, see `texts`.

        Raises:
            UnmaskableError: this masker cannot serve one of them.
        """
        raise UnmaskableError("no rule")

    def masks_beside(self, values: Texts, beside: Sequence[Texts]) -> Texts:
        """The masks where other columns have a part in them; these may hold NULL."""
        return self.masks(values)

    def mask(self, value: str) -> str | None:
        return self.mask_all([value])[value]

    def mask_all(self, values: Collection[str]) -> dict[str, str | None]:
        return dict(zip(values, listed(self.masks(strings(values))), strict=True))

    def mask_beside(self, value: str, beside: Row) -> str | None:
        row = (value, *beside)
        return self.mask_rows([row])[row]

    def mask_rows(self, rows: Collection[Row]) -> dict[Row, str | None]:
        values, *beside = map(strings, zip(*rows, strict=True))
        return dict(zip(rows, listed(self.masks_beside(values, beside)), strict=True))


def derive_key(key: bytes, context: str) -> bytes:
    """A key of its own for one purpose; those of different contexts say nothing about one another."""
    from blake3 import blake3

    return blake3(key, derive_key_context=f"dataops masking 1: {context}").digest()
