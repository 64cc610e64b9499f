"""Masking by the column: each distinct value once for all tables and objects that a worker captures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dataops.infra.errors import VerificationError
from dataops.snapshots.manifest import MaskedColumn
from dataops.snapshots.masking.base import Family, Masker, UnmaskableError
from dataops.snapshots.policy import MaskedField
from dataops.snapshots.quotations import Quotation

REMEMBERED = 1 << 26
"""How much is remembered of one rule: characters of the values, and `OVERHEAD` for each."""
OVERHEAD = 100
COUNTED = 250_000


class _Masks:
    """One rule at work on one family of types, with the masks that it gave lately."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._known: dict[str, str | None] = {}
        self._room = REMEMBERED

    def of(self, values: Sequence[str]) -> list[str | None]:
        """The masks of some values, in their order."""
        known = self._known
        new = {value for value in values if value not in known}
        if new:
            self._room -= sum(map(len, new)) + OVERHEAD * len(new)
            if self._room < 0:
                known = self._known = {value: known[value] for value in values if value in known}
                self._room = REMEMBERED - sum(map(len, values)) - OVERHEAD * len(values)
            known.update(self._masker.mask_all(new))
        return [known[value] for value in values]


class Memory:
    """The masks that a worker remembers, by rule and family: a table shares them with the object of the same data.

    Args:
        quotations: values that the schema quotes, see `quotations`.
    """

    def __init__(self, quotations: Mapping[str, Quotation] | None = None) -> None:
        self.quotations: Mapping[str, Quotation] = quotations or {}
        self._masks: dict[tuple[str, Family], _Masks] = {}

    def masks(self, field: MaskedField) -> _Masks:
        """Those of a field's rule."""
        return self._masks.setdefault((field.rule, field.family), _Masks(field.masker))


class ColumnMasking:
    """Masks one column and counts what it did.

    Args:
        field: the column and its rule.
        memory: the worker's.
    """

    def __init__(self, field: MaskedField, memory: Memory) -> None:
        self.field = field
        self.changed = 0
        self._masks = memory.masks(field)
        self._quotations = {text: q.where for text, q in memory.quotations.items() if q.tells_of(field)}
        self._seen: set[str] = set()

    def apply(self, values: Sequence[str | None]) -> list[str | None]:
        """The masks of distinct values, in their order; None is NULL.

        Raises:
            VerificationError: a value cannot be masked, no longer fits its column, or is quoted by the schema.
        """
        field = self.field
        texts = [value for value in values if value is not None]
        if field.padded:
            texts = [text.rstrip(" ") for text in texts]
        self._check_quotations(texts)
        try:
            masked = self._masks.of(texts)
        except UnmaskableError as error:
            raise VerificationError(f"{field.label} cannot be masked with `{field.rule}`: {error}") from None
        if field.length is not None and max((len(mask or "") for mask in masked), default=0) > field.length:
            raise VerificationError(
                f"{field.label} cannot be masked with `{field.rule}`: "
                f"a masked value is longer than the {field.length} characters that the column takes",
                hint="choose a rule that keeps the length, such as fpe",
            )
        if len(self._seen) < COUNTED:
            self._seen.update(texts)
        if len(texts) == len(values):
            return masked
        rest = iter(masked)
        return [None if value is None else next(rest) for value in values]

    def _check_quotations(self, texts: Collection[str]) -> None:
        if self._quotations and not self._quotations.keys().isdisjoint(texts):
            where = min(self._quotations[text] for text in texts if text in self._quotations)
            raise VerificationError(
                f"the schema quotes a value of {self.field.label}, which is masked, in {where}",
                hint="rows are masked, the schema is copied as it is: take the value out of it",
            )

    def result(self) -> MaskedColumn:
        """What was done to the column."""
        return MaskedColumn(self.field.rule, min(COUNTED, len(self._seen)), self.changed)
