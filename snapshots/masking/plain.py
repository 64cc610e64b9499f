"""Rules without a key: keep, null, constant, text."""

from __future__ import annotations

from dataops.snapshots.masking.base import Family, VectorMasker
from dataops.snapshots.masking.texts import Texts, strings, text


class KeepMasker(VectorMasker):
    """Leaves values as they are."""

    injective = True

    def mask(self, value: str) -> str:
        return value

    def masks(self, values: Texts) -> Texts:
        return values


class NullMasker(VectorMasker):
    """Makes every value NULL."""

    def mask(self, value: str) -> None:
        return None

    def masks(self, values: Texts) -> Texts:
        return strings([None] * len(values))


class ConstantMasker(VectorMasker):
    """Makes every value the same; NULL stays NULL."""

    def __init__(self, value: str | int | float | bool) -> None:
        self._value = str(value).lower() if isinstance(value, bool) else str(value)

    def mask(self, value: str) -> str:
        return self._value

    def masks(self, values: Texts) -> Texts:
        import pyarrow as pa

        return pa.repeat(text(self._value), len(values))


class ReplaceMasker(VectorMasker):
    """Replaces free text by one fixed text; the empty text stays."""

    families = frozenset({Family.TEXT})

    def __init__(self, replacement: str) -> None:
        self._replacement = replacement

    def mask(self, value: str) -> str:
        return self._replacement if value else value

    def masks(self, values: Texts) -> Texts:
        import pyarrow.compute as pc

        return pc.if_else(pc.equal(values, text("")), text(""), text(self._replacement))
