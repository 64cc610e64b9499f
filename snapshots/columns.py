"""Masking by the column: each distinct value once for all tables and objects that a worker captures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from typing import Any

from dataops.infra.errors import VerificationError
from dataops.snapshots.manifest import MaskedColumn
from dataops.snapshots.masking.arrays import elements_of, longest_element
from dataops.snapshots.masking.base import Family, Masker, Row, UnmaskableError, VectorMasker
from dataops.snapshots.masking.texts import Texts, strings
from dataops.snapshots.plans import MaskedField
from dataops.snapshots.problems import yaml_key
from dataops.snapshots.quotations import Quotation
from dataops.snapshots.ranges import WHOLE, Range

REMEMBERED = 1 << 26
"""How much all workers remember of all rules: characters of the values, and `OVERHEAD` for each. `FEW` the double."""
FEW = 4
"""Workers of whom each may remember twice as much: the less they are, the less they take by themselves."""
OVERHEAD = 250
FIELDS = 240_000
"""How many fields and their masks all workers remember of all columns, so that what comes again costs one look."""
COUNTED = 250_000
COUNTED_IN_ALL = 1_000_000
"""How many different values are counted of a column, and of all columns by all workers."""
TOLD = 80
"""A rule in words that is longer is told by its name alone."""

Key = str | Row
"""A distinct value: a text, or one with the values beside it that have a part in its mask."""


class _Masks:
    """One rule at work on one family of types, with the masks that it gave lately."""

    def __init__(self, masker: Masker, beside: bool, room: int) -> None:
        self.masker = masker
        """That of the first task: it has set up what it needs for the others."""
        self._mask: Callable[[Collection[Any]], dict[Any, str | None]] = masker.mask_rows if beside else masker.mask_all
        self._beside = beside
        self._known: dict[Key, str | None] = {}
        self._most = self._room = room

    def of(self, values: Sequence[Key]) -> list[str | None]:
        """The masks of some values, in their order."""
        known = self._known
        new = {value: None for value in values if value not in known}
        if new:
            self._room -= _size(new, self._beside)
            if self._room < 0:
                known = self._known = {value: known[value] for value in values if value in known}
                self._room = self._most - _size(values, self._beside)
            known.update(self._mask(new))
        return [known[value] for value in values]


def _size(values: Collection[Any], beside: bool) -> int:
    """What it takes to remember some values, `beside` with those beside them."""
    texts = filter(None, chain.from_iterable(values)) if beside else values
    return sum(map(len, texts)) + OVERHEAD * len(values)


def shares_of(workers: int, columns: int) -> int:
    """Into how many parts what may be remembered is divided, see `Memory`: so many columns are masked at once."""
    return max(1, workers * columns // (2 if workers <= FEW else 1))


class Memory:
    """The masks that a worker remembers, by rule and family: a table shares them with the object of the same data.

    Args:
        quotations: values that the schema quotes, see `quotations`.
        shares: into how many parts what may be remembered is divided: columns that are masked, times workers.
    """

    def __init__(self, quotations: Mapping[str, Quotation] | None = None, shares: int = 1) -> None:
        self.quotations: Mapping[str, Quotation] = quotations or {}
        self._room = REMEMBERED // max(1, shares)
        self.remembered = FIELDS // max(1, shares)
        self.counted = min(COUNTED, COUNTED_IN_ALL // max(1, shares))
        self._masks: dict[tuple[str, Family, bool, bool], _Masks] = {}
        self._fields: dict[str, dict[str, str]] = {}

    def fields(self, field: MaskedField) -> dict[str, str]:
        """Masks of a column by value, both as COPY writes them, from one range of its table to the next."""
        table = field.label.rpartition(".")[0]
        if any(label.rpartition(".")[0] != table for label in self._fields):
            self._fields = {}  # of the table before, which is done
        return self._fields.setdefault(field.label, {})

    def masks(self, field: MaskedField) -> _Masks:
        """Those of a field's rule."""
        beside = bool(field.beside)
        return self._masks.setdefault(
            (field.rule, field.family, beside, field.array), _Masks(field.masker, beside, self._room)
        )


class _Different:
    """Counts different values up to a bound.

    Args:
        most: the bound.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: list[Texts] = []
        self._waiting = 0
        self.count = 0

    def add(self, values: Texts) -> None:
        """Counts values, of which none is there twice, among the others."""
        if self.count >= self._most or not len(values):
            return
        self._found.append(values)
        self._waiting += len(values)
        if len(self._found) == 1:
            self.count = min(self._most, len(values))
        elif self._waiting >= self._most:
            self.finish()

    def finish(self) -> int:
        """How many there were."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if len(self._found) > 1 and self.count < self._most:
            self._found = [pc.unique(pa.chunked_array(self._found))]
            self._waiting = 0
            self.count = min(self._most, len(self._found[0]))
        if self.count >= self._most:
            self._found = []
        return self.count


class ColumnMasking:
    """Masks one column and counts what it did.

    Args:
        field: the column and its rule.
        memory: the worker's.
        part: of the table, which is masked here.
    """

    def __init__(self, field: MaskedField, memory: Memory, part: Range = WHOLE) -> None:
        self.field = field
        self._part = part
        self.changed = 0
        self.rows = 0
        """Rows before those that are masked now."""
        self.fields = memory.fields(field)
        """For whoever masks rows, see `Memory`; no more of them than `remembered`."""
        self.remembered = memory.remembered
        self._masks = memory.masks(field)
        self._quotations = {text: q.where for text, q in memory.quotations.items() if q.tells_of(field)}
        self._different = _Different(memory.counted)

    @property
    def vector(self) -> VectorMasker | None:
        """The masker, if it works on whole columns: then `column` is to be used."""
        return self._masks.masker if isinstance(self._masks.masker, VectorMasker) else None

    def count(self, values: Texts) -> None:
        """Counts how many values differ, for `result`; none of these is there twice."""
        self._different.add(values)

    def apply(self, values: Sequence[Key | None], row_of: Callable[[int], int] | None = None) -> list[str | None]:
        """The masks of distinct values, in their order, which are counted; None is NULL. Raises as `masks`."""
        given = [value if isinstance(value, str) else value[0] for value in values if value is not None]
        self.count(strings(given).unique() if self.field.beside else strings(given))
        return self.masks(values, row_of)

    def column(self, values: Texts, beside: Sequence[Texts] = (), *, tell_row: bool = True) -> Texts:
        """The masks of a whole column, which is counted, by a masker that is made for that.

        Args:
            values: with NULL where there is none.
            beside: other columns, where they have a part in the mask.
            tell_row: say, of a value that cannot be masked, in which row it stands first.

        Raises:
            VerificationError: as `masks`.
        """
        import pyarrow.compute as pc

        masker, field = self.vector, self.field
        assert masker is not None
        encoded, there = values.dictionary_encode(), pc.is_valid(values)
        self.count(encoded.dictionary)
        given = values.filter(there) if beside else encoded.dictionary
        others = [column.filter(there) for column in beside]

        def row_of(place: int) -> int | None:
            return int(pc.index(values, given[place]).as_py()) if tell_row else None

        if self._quotations:
            self._check_quotations(given.to_pylist())
        plain = pc.utf8_rtrim(given, " ") if field.padded else given
        try:
            masks = masker.masks_beside(plain, others) if beside else masker.masks(plain)
        except UnmaskableError as error:
            rows = list(zip(plain.to_pylist(), *(column.to_pylist() for column in others), strict=True))
            place = self._first_unmaskable(rows if beside else [row[0] for row in rows])
            raise self._refusal(str(error), None if place is None else row_of(place), error.add) from None
        if field.length is not None:
            long = pc.greater(pc.utf8_length(masks), field.length)
            if pc.any(long).as_py():
                raise self._too_long(row_of(pc.index(long, True).as_py()))
        return pc.replace_with_mask(values, there, masks) if beside else masks.take(encoded.indices)

    def masks(self, values: Sequence[Key | None], row_of: Callable[[int], int] | None = None) -> list[str | None]:
        """The masks of distinct values, in their order; None is NULL.

        Args:
            row_of: the row, among those that are masked now and from 0, in which a value stands first; for errors.

        Raises:
            VerificationError: a value cannot be masked, no longer fits its column, or is quoted by the schema.
        """
        field = self.field
        places = [place for place, value in enumerate(values) if value is not None]
        given = [self._plain(value) for value in values if value is not None]
        texts = [value if isinstance(value, str) else value[0] or "" for value in given]
        self._check_quotations(texts)
        try:
            masked = self._masks.of(given)
        except UnmaskableError as error:
            place = self._first_unmaskable(given)
            where = None if place is None or row_of is None else row_of(places[place])
            raise self._refusal(str(error), where, error.add) from None
        size = longest_element if field.array else len
        if field.length is not None and max((size(mask) for mask in masked if mask), default=0) > field.length:
            first = next(p for p, mask in zip(places, masked, strict=True) if mask and size(mask) > field.length)
            raise self._too_long(None if row_of is None else row_of(first))
        if len(given) == len(values):
            return masked
        rest = iter(masked)
        return [None if value is None else next(rest) for value in values]

    def _plain(self, value: Key) -> Key:
        """A value without the blanks that only fill its column up."""
        if not self.field.padded:
            return value
        return value.rstrip(" ") if isinstance(value, str) else ((value[0] or "").rstrip(" "), *value[1:])

    def _first_unmaskable(self, values: Sequence[Key]) -> int | None:
        """The first value that cannot be masked: column by column nobody said which one it was."""
        for place, value in enumerate(values):
            try:
                self._masks.of([value])
            except UnmaskableError:
                return place
        return None

    def _too_long(self, row: int | None) -> VerificationError:
        return self._refusal(
            f"a masked value is longer than the {self.field.length} characters that the column takes",
            row,
            hint="choose a rule that keeps the length, such as fpe",
        )

    def _refusal(
        self, why: str, row: int | None, add: Sequence[str] = (), hint: str | None = None
    ) -> VerificationError:
        field = self.field
        rule = field.rule if len(field.rule) <= TOLD else field.rule.partition("(")[0]
        begin = f" from page {self._part.first:,} on" if self._part.first else ""
        where = "" if row is None else f" (first in row {self.rows + row + 1:,}{begin} as they were read)"
        details = None
        if add:
            table, _, column = field.label.rpartition(".")
            section = "lake" if table.startswith("lake:") else "tables"
            head = ["add to dataops.yaml:", "  masking:", f"    {section}:"]
            head += [
                f"      {yaml_key(table.removeprefix('lake:'))}:",
                f"        {yaml_key(column)}:",
                "          paths:",
            ]
            details = "\n".join([*head, *(f"            {line}" for line in add)])
            hint = "name the paths, or say what becomes of all others with `unlisted`"
        return VerificationError(
            f"{field.label} cannot be masked with `{rule}`: {why}{where}",
            hint=hint,
            details=details,
        )

    def _check_quotations(self, texts: Collection[str]) -> None:
        if self._quotations and self.field.array:
            texts = [element for text in texts for element in elements_of(text)]
        if self._quotations and not self._quotations.keys().isdisjoint(texts):
            where = min(self._quotations[text] for text in texts if text in self._quotations)
            raise VerificationError(
                f"the schema quotes a value of {self.field.label}, which is masked, in {where}",
                hint="rows are masked, the schema is copied as it is: take the value out of it",
            )

    def result(self) -> MaskedColumn:
        """What was done to the column."""
        return MaskedColumn(self.field.rule, self._different.finish(), self.changed)
