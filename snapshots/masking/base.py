"""The protocol of maskers, the families of types that they serve, and the derivation of their keys."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import ClassVar


class Family(Enum):
    """Types that are alike to a masker; INTEGER is four or eight bytes wide, SMALLINT two."""

    TEXT = "text"
    INTEGER = "integer"
    SMALLINT = "smallint"
    NUMBER = "number"
    DATE = "date"
    UUID = "uuid"
    OTHER = "other"


class UnmaskableError(Exception):
    """A value that a masker cannot serve. Says why, never which; whoever knows the column makes it a user's error."""


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
        """Masks distinct values."""
        mask = self.mask
        return {value: mask(value) for value in values}


def derive_key(key: bytes, context: str) -> bytes:
    """A key of its own for one purpose; those of different contexts say nothing about one another."""
    from blake3 import blake3

    return blake3(key, derive_key_context=f"dataops masking 1: {context}").digest()
