"""The masking policy set against what is there: which rule stands on which column, or why the capture must stop.

Decided before any row is read. Fails closed: what no rule names does not leave production.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dataops.infra.platform.masking import AnyRule, Masking
from dataops.infra.platform.masking_rules import Constant, Keep, Null
from dataops.infra.platform.names import TABLE
from dataops.infra.platform.paths import join_path
from dataops.snapshots.catalogue import Catalogue, Column, SourceTable
from dataops.snapshots.manifest import blake3_hex, canonical_json
from dataops.snapshots.masking.arrays import ArrayMasker
from dataops.snapshots.masking.base import Family, Masker
from dataops.snapshots.masking.choose import describe, masker_for
from dataops.snapshots.plans import MaskedField, ObjectColumn, ObjectPart, TablePlan
from dataops.snapshots.problems import Missing, Problems


def policy_hash(masking: Masking) -> str:
    """The hash of all rules as they apply, `like` and classes resolved."""

    def plain(rules: Mapping[str, AnyRule] | None) -> dict[str, str]:
        return {column: describe(rule) for column, rule in (rules or {}).items()}

    tables = {name: plain(masking.table_rules(name)) for name in {*masking.tables, *masking.classified}}
    return blake3_hex(
        canonical_json({"tables": tables, "lake": {n: plain(masking.object_rules(n)) for n in masking.lake}})
    )


def plan_tables(catalogue: Catalogue, masking: Masking, key: bytes, problems: Problems) -> tuple[TablePlan, ...]:
    """Puts a rule on every column of every table; columns without one, or with one that cannot stand, are problems."""
    problems.found += [f"the database has {what}" for what in catalogue.unsupported]
    maskers = _Maskers(key)
    plans = []
    for table in catalogue.tables:
        if not re.match(TABLE, table.root) or "." in table.schema:
            problems.found.append(
                f"the table {table.root} has a name that no rule can have: lower-case letters, digits and _ only"
            )
            continue
        rules = masking.table_rules(table.root) or {}
        captured = [column for column in table.columns if not column.generated]
        names = tuple(column.name for column in captured)
        masked = []
        for index, column in enumerate(captured):
            label = f"{table.root}.{column.name}"
            rule = rules.get(column.name)
            if column.fixed:
                if not isinstance(rule, Keep | None):
                    problems.found.append(f"{label} says where data belong: it is always kept")
                continue
            if rule is None:
                problems.add(
                    Missing(
                        "tables",
                        table.root,
                        column.name,
                        column.family,
                        column.type,
                        column.unique,
                        column.required,
                        column.length,
                        column.array,
                    ),
                    label,
                )
                continue
            array = column.array and not isinstance(rule, (Keep, Null, Constant))
            masker = maskers.of(rule, column.family, array)
            # names that stand beside an array are not looked for in it, just as within documents
            others = rule.beside({} if array else rules)
            complaint = (
                _absent(others, names)
                or ("within an array no rule can depend on another column" if array and others else None)
                or _unfit(rule, masker, column, (table.root, column.name) in catalogue.partition_columns)
            )
            if complaint:
                problems.found.append(f"{label} cannot be masked with `{rule.word}`: {complaint}")
            elif masker is not None and not isinstance(rule, Keep):
                beside = tuple(map(names.index, others))
                masked.append(
                    MaskedField(
                        index,
                        label,
                        describe(rule),
                        column.family,
                        masker,
                        column.length,
                        column.padded,
                        beside,
                        array=array,
                    )
                )
        plans.append(_plan(table, names, masked))
    _check_foreign_keys(catalogue, masking, problems)
    return tuple(plans)


def _plan(table: SourceTable, names: Sequence[str], masked: Sequence[MaskedField]) -> TablePlan:
    """A plan in which the columns that take part in masking come first: the others are then not told apart."""
    first = dict.fromkeys(place for one in masked for place in (one.index, *one.beside))
    order = [*first, *(place for place in range(len(names)) if place not in first)]
    now = {place: number for number, place in enumerate(order)}
    fields = (replace(one, index=now[one.index], beside=tuple(now[place] for place in one.beside)) for one in masked)
    return TablePlan(table, tuple(names[place] for place in order), tuple(fields))


class _Maskers:
    """The maskers of rules, each made once, since to set one up can take a while."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._made: dict[tuple[str, Family], Masker | None] = {}

    def of(self, rule: AnyRule, family: Family, array: bool = False) -> Masker | None:
        """The masker of a rule for a type, or for arrays of it; None when it does not serve it."""
        kind = (describe(rule), family)
        if kind not in self._made:
            self._made[kind] = masker_for(rule, family, self._key)
        made = self._made[kind]
        return ArrayMasker(made) if array and made else made


def _absent(others: Sequence[str], names: Sequence[str]) -> str | None:
    for other in others:
        if other not in names:
            return f"it depends on the column {other}, which is not there"
    return None


def _unfit(rule: AnyRule, masker: Masker | None, column: Column, partitions: bool) -> str | None:
    if masker is None:
        return f"the rule does not serve the type {column.type}"
    if column.unique and not masker.injective:
        return "the column is part of a unique index, and different values could become equal"
    if isinstance(rule, Null) and column.required:
        return "the column is NOT NULL"
    if partitions and not isinstance(rule, Keep):
        return "the table is partitioned by the column, so rows would change their partition"
    return None


def _check_foreign_keys(catalogue: Catalogue, masking: Masking, problems: Problems) -> None:
    roots = {table.label: table.root for table in catalogue.tables}  # a partition may have a key of its own
    for foreign in catalogue.foreign_keys:
        here = masking.table_rules(roots.get(foreign.table, foreign.table)) or {}
        there = masking.table_rules(roots.get(foreign.referenced, foreign.referenced)) or {}
        for own, other in zip(foreign.columns, foreign.referenced_columns, strict=True):
            if own in here and other in there and describe(here[own]) != describe(there[other]):
                problems.found.append(
                    f"{foreign.table}.{own} has the rule `{describe(here[own])}`, but {foreign.referenced}.{other},"
                    f" which it refers to ({foreign.name}), has `{describe(there[other])}`"
                )


def plan_columns(
    path: str, columns: Sequence[ObjectColumn] | None, masking: Masking, key: bytes, problems: Problems
) -> tuple[MaskedField, ...]:
    """Puts a rule on every column of an object of the lake; the columns that are changed.

    Args:
        columns: None for an object that has none: it needs an entry without rules, which says to copy it as it is.
        problems: takes what is missing or cannot stand.
    """
    rules = masking.object_rules(path)
    if columns is None:
        if rules is None:
            problems.add(Missing("lake", path, "keep", None), f"lake:{path}")
        elif rules:
            problems.found.append(f"lake:{path} cannot be masked: only Parquet objects have columns")
        return ()
    if not columns and rules is None:
        problems.add(Missing("lake", path, "keep", None), f"lake:{path}")
    plan = _ObjectPlanning(path, tuple(column.name for column in columns), rules or {}, _Maskers(key), problems)
    for index, column in enumerate(columns):
        plan.add(index, column)
    return tuple(plan.masked)


@dataclass(slots=True)
class _ObjectPlanning:
    """The rules of one object while they are put on its columns."""

    path: str
    names: tuple[str, ...]
    rules: Mapping[str, AnyRule]
    maskers: _Maskers
    problems: Problems
    masked: list[MaskedField] = field(default_factory=list)

    def add(self, index: int, column: ObjectColumn) -> None:
        """Puts a rule on a column: on the whole of it, or on each part of a nested one."""
        rule = self.rules.get(column.name)
        if rule is not None or not column.parts:
            self._put(index, ObjectPart((), column.type, column.family, column.required), rule)
            return
        for part in column.parts:
            self._put(index, part, self._rule_of(column.name, part.path))

    def _rule_of(self, column: str, path: tuple[str, ...]) -> AnyRule | None:
        """The rule of a part; a rule that needs no value may stand on something that the part lies in."""
        own = self.rules.get(join_path((column, *path)))
        for length in range(len(path) - 1, 0, -1):
            above = self.rules.get(join_path((column, *path[:length])))
            own = own or (above if isinstance(above, Keep) else None)
        return own

    def _put(self, index: int, part: ObjectPart, rule: AnyRule | None) -> None:
        name = join_path((self.names[index], *part.path)) if part.path else self.names[index]
        label = f"lake:{self.path}.{name}"
        if rule is None:
            self.problems.add(Missing("lake", self.path, name, part.family, part.type, required=part.required), label)
            return
        masker = self.maskers.of(rule, part.family)
        others = rule.beside(self.rules)
        complaint = _absent(others, self.names)
        if masker is None:
            complaint = f"the rule does not serve the type {part.type}"
        elif isinstance(rule, Null) and part.required:
            complaint = "the column is required"
        elif part.path and others:
            complaint = "within a nested column no rule can depend on another column"
        elif part.path and isinstance(rule, Constant) and part.family is Family.OTHER:
            complaint = f"the rule does not serve the type {part.type} within a nested column"
        if complaint:
            self.problems.found.append(f"{label} cannot be masked with `{rule.word}`: {complaint}")
        elif masker is not None and not isinstance(rule, Keep):
            beside = tuple(map(self.names.index, others))
            self.masked.append(
                MaskedField(index, label, describe(rule), part.family, masker, beside=beside, path=part.path)
            )
