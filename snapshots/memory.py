"""What a worker remembers of masks: as much as it may, and only where it is of use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from dataops.snapshots.masking.base import Family, Row, VectorMasker
from dataops.snapshots.masking.texts import Texts, listed, strings
from dataops.snapshots.plans import MaskedField
from dataops.snapshots.quotations import Quotation

REMEMBERED = 1 << 26
"""How much all workers remember of all rules: characters of the values, and `OVERHEAD` for each. `FEW` the double."""
FEW = 4
"""Workers of whom each may remember twice as much: the less they are, the less they take by themselves."""
OVERHEAD = 250
SELDOM = 8
"""Where less than one in so many values comes again in time, masks are made sooner than they are looked up."""
COUNTED = 250_000
COUNTED_IN_ALL = 1_000_000
"""How many different values are counted of a column, and of all columns by all workers."""

Key = str | Row | None
"""A value, with the values beside it that have a part in its mask, if any have."""
_UNKNOWN: Any = object()


def is_remembered(field: MaskedField) -> bool:
    """Whether masks of a column may be worth to be remembered: of rows, and where they are soon made, they are not."""
    masker = field.masker
    return not isinstance(masker, VectorMasker) or (masker.remembered and not field.beside)


@dataclass(frozen=True, slots=True)
class Shares:
    """Into how many parts is divided what all workers may hold.

    Args:
        remembered: what they remember, by workers and by rules whose masks are remembered.
        counted: what they count, by workers and by columns that are masked at once.
    """

    remembered: int = 1
    counted: int = 1

    @classmethod
    def of(cls, workers: int, plans: Iterable[Sequence[MaskedField]]) -> Shares:
        """Those of so many workers who mask the columns of these tables and objects."""
        columns = list(plans)
        rules = {_kind(field) for fields in columns for field in fields if is_remembered(field)}
        each = max(1, workers) / (2 if workers <= FEW else 1)
        most = max(map(len, columns), default=0)
        return cls(max(1, int(each * len(rules))), max(1, int(each * most)))


def _kind(field: MaskedField) -> tuple[str, Family, bool, bool]:
    """Equal for columns that have the same masks for the same values."""
    return field.rule, field.family, bool(field.beside), field.array


class Memory:
    """The masks that a worker remembers, by rule and family: a table shares them with the object of the same data.

    Args:
        quotations: values that the schema quotes, see `quotations`.
        shares: of what all workers may hold.
    """

    def __init__(self, quotations: Mapping[str, Quotation] | None = None, shares: Shares = Shares()) -> None:
        self.quotations: Mapping[str, Quotation] = quotations or {}
        self._room = REMEMBERED // shares.remembered
        self.counted = min(COUNTED, COUNTED_IN_ALL // shares.counted)
        self._masks: dict[tuple[str, Family, bool, bool], Masks] = {}

    def masks(self, field: MaskedField) -> Masks:
        """Those of a field's rule."""
        return self._masks.setdefault(_kind(field), Masks(field, self._room))


@dataclass(slots=True)
class _Use:
    """How many values of a column were looked up since its memory began anew, and how many were there."""

    looked_up: int = 0
    found: int = 0


class Masks:
    """One rule at work on one family of types, with the masks that it gave lately.

    Whether the values of a column come again can be told only when there is no room for more of them. Where they do
    not, and masks are soon made, those of the column are not remembered from then on.

    Args:
        field: the first column: its masker has set up what it needs for the others.
        room: for what is remembered.
    """

    def __init__(self, field: MaskedField, room: int) -> None:
        self.masker = masker = field.masker
        self._beside = bool(field.beside)
        self._mask: Callable[[Collection[Any]], dict[Any, str | None]]
        self._mask = masker.mask_rows if self._beside else masker.mask_all
        self._remembered = is_remembered(field)
        self._known: dict[Key, str | None] = {}
        self._most = self._room = room
        self._uses: dict[str, _Use] = {}
        self._useless = set[str]()

    def of(self, column: str, values: Texts, beside: Sequence[Texts] = ()) -> Texts:
        """The masks of some values, in their order.

        Args:
            column: in which they are.
            values: without NULL, see `texts`.
            beside: other columns, where they have a part in the masks; these may hold NULL.

        Raises:
            UnmaskableError: one of them cannot be masked.
        """
        masker = self.masker
        if isinstance(masker, VectorMasker) and (not self._remembered or column in self._useless):
            return masker.masks_beside(values, beside) if beside else masker.masks(values)
        keys = list(zip(*map(listed, (values, *beside)), strict=True)) if beside else listed(values)
        found = list(map(self._known.get, keys, repeat(_UNKNOWN)))
        new = [place for place, mask in enumerate(found) if mask is _UNKNOWN]
        use = self._uses.setdefault(column, _Use())
        use.looked_up += len(keys)
        use.found += len(keys) - len(new)
        if new:
            made = self._mask(dict.fromkeys([keys[place] for place in new]))
            for place in new:
                found[place] = made[keys[place]]
            self._remember(made)
        return strings(found)

    def _remember(self, made: Mapping[Key, str | None]) -> None:
        size = self._size(made)
        if size > self._room:  # what is known is of use no longer, or never was
            self._known, self._room = {}, self._most
            if isinstance(self.masker, VectorMasker):
                self._useless.update(name for name, use in self._uses.items() if use.found * SELDOM < use.looked_up)
            self._uses.clear()
        if size <= self._room:
            self._known.update(made)
            self._room -= size

    def _size(self, keys: Collection[Any]) -> int:
        """What it takes to remember the masks of some values."""
        texts = filter(None, chain.from_iterable(keys)) if self._beside else keys
        return sum(map(len, texts)) + OVERHEAD * len(keys)
