"""Rules without a key: keep, null, constant, text."""

from __future__ import annotations

from dataops.snapshots.masking.base import Family, Masker


class KeepMasker(Masker):
    """Leaves values as they are."""

    injective = True

    def mask(self, value: str) -> str:
        return value


class NullMasker(Masker):
    """Makes every value NULL."""

    def mask(self, value: str) -> None:
        return None


class ConstantMasker(Masker):
    """Makes every value the same; NULL stays NULL."""

    def __init__(self, value: str | int | float | bool) -> None:
        self._value = str(value).lower() if isinstance(value, bool) else str(value)

    def mask(self, value: str) -> str:
        return self._value


class ReplaceMasker(Masker):
    """Replaces free text by one fixed text; the empty text stays."""

    families = frozenset({Family.TEXT})

    def __init__(self, replacement: str) -> None:
        self._replacement = replacement

    def mask(self, value: str) -> str:
        return self._replacement if value else value
