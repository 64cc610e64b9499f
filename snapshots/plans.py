"""What is done to each table and column, as it is told to the processes that do it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dataops.snapshots.catalogue import SourceTable
from dataops.snapshots.masking.base import Family, Masker
from dataops.snapshots.subsets.selection import Selection


@dataclass(frozen=True, slots=True)
class MaskedField:
    """A column that is changed: its place among the captured columns, its rule in words, and the rule at work.

    Args:
        family: of its type; of an array that is masked element by element, that of these.
        beside: the places of other columns that have a part in the mask.
        path: of a nested column, the part of it that is meant.
        array: whether it is masked element by element.
    """

    index: int
    label: str
    rule: str
    family: Family
    masker: Masker = field(repr=False)  # it holds a key
    length: int | None = None
    padded: bool = False
    beside: tuple[int, ...] = ()
    path: tuple[str, ...] = ()
    array: bool = False


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How one table is captured: which columns (generated ones are not) and which of them are changed.

    Args:
        selection: which rows; None for all of them.
    """

    table: SourceTable
    columns: tuple[str, ...]
    masked: tuple[MaskedField, ...]
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class ObjectColumn:
    """One column of an object of the lake; `type` in words, `required` that it never holds NULL.

    Args:
        parts: of a nested column, every part that holds values: its path below the column, type and family.
    """

    name: str
    type: str
    family: Family
    required: bool
    parts: tuple[ObjectPart, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectPart:
    """A part of a nested column that holds values."""

    path: tuple[str, ...]
    type: str
    family: Family
    required: bool
