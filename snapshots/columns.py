"""Masking by the column: each distinct value once for all tables and objects that a worker captures."""

from __future__ import annotations

from collections.abc import Sequence

from dataops.infra.errors import VerificationError
from dataops.snapshots.manifest import MaskedColumn
from dataops.snapshots.masking.arrays import elements_of, longest_element
from dataops.snapshots.masking.base import UnmaskableError
from dataops.snapshots.masking.texts import Texts, listed, strings
from dataops.snapshots.memory import Memory
from dataops.snapshots.plans import MaskedField
from dataops.snapshots.problems import yaml_key
from dataops.snapshots.ranges import WHOLE, Range

TOLD = 80
"""A rule in words that is longer is told by its name alone."""


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
        self._masks = memory.masks(field)
        self._quotations = {text: q.where for text, q in memory.quotations.items() if q.tells_of(field)}
        self._different = _Different(memory.counted)

    def apply(self, values: Texts, beside: Sequence[Texts] = (), *, tell_row: bool = True) -> Texts:
        """The masks of a whole column, whose different values are counted.

        Args:
            values: with NULL where there is none.
            beside: other columns, where they have a part in the mask.
            tell_row: say, of a value that cannot be masked, in which row it stands first.

        Raises:
            VerificationError: a value cannot be masked, no longer fits its column, or is quoted by the schema.
        """
        import pyarrow.compute as pc

        field = self.field
        encoded, there = values.dictionary_encode(), pc.is_valid(values)
        self._different.add(encoded.dictionary)
        given = values.filter(there) if beside else encoded.dictionary
        others = [column.filter(there) for column in beside]

        def row_of(place: int) -> int | None:
            if not tell_row:
                return None
            return int((pc.indices_nonzero(there)[place] if beside else pc.index(values, given[place])).as_py())

        self._check_quotations(given)
        plain = pc.utf8_rtrim(given, " ") if field.padded else given
        try:
            masks = self._masks.of(field.label, plain, others)
        except UnmaskableError as error:
            place = self._first_unmaskable(plain, others)
            raise self._refusal(str(error), None if place is None else row_of(place), error.add) from None
        if field.length is not None and (place := self._first_too_long(masks, field.length)) is not None:
            raise self._refusal(
                f"a masked value is longer than the {field.length} characters that the column takes",
                row_of(place),
                hint="choose a rule that keeps the length, such as fpe",
            )
        return pc.replace_with_mask(values, there, masks) if beside else masks.take(encoded.indices)

    def _first_unmaskable(self, values: Texts, beside: Sequence[Texts]) -> int | None:
        """The first value that cannot be masked: of the column nobody said which one it was."""
        masker, columns = self._masks.masker, [listed(column) for column in (values, *beside)]
        for place, (value, *others) in enumerate(zip(*columns, strict=True)):
            try:
                if others:
                    masker.mask_beside(value or "", tuple(others))
                else:
                    masker.mask(value or "")
            except UnmaskableError:
                return place
        return None

    def _first_too_long(self, masks: Texts, length: int) -> int | None:
        """The first mask that is too long."""
        import pyarrow.compute as pc

        if self.field.array:
            longest = (longest_element(mask) if mask else 0 for mask in listed(masks))
            return next((place for place, size in enumerate(longest) if size > length), None)
        place = pc.index(pc.greater(pc.utf8_length(masks), length), True).as_py()
        return None if place < 0 else int(place)

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

    def _check_quotations(self, values: Texts) -> None:
        import pyarrow.compute as pc

        if not self._quotations:
            return
        if self.field.array:
            values = strings(element for text in listed(values) if text is not None for element in elements_of(text))
        quoted = listed(values.filter(pc.is_in(values, strings(self._quotations))))
        if quoted:
            where = min(self._quotations[text] for text in quoted if text is not None)
            raise VerificationError(
                f"the schema quotes a value of {self.field.label}, which is masked, in {where}",
                hint="rows are masked, the schema is copied as it is: take the value out of it",
            )

    def result(self) -> MaskedColumn:
        """What was done to the column."""
        return MaskedColumn(self.field.rule, self._different.finish(), self.changed)
