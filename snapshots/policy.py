"""The masking policy set against what is there: which rule stands on which column, or why the capture must stop.

Decided before any row is read. Fails closed: what no rule names does not leave production.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataops.infra.errors import VerificationError
from dataops.infra.platform.masking import AnyRule, Keep, Masking
from dataops.infra.platform.names import TABLE
from dataops.snapshots.catalogue import Catalogue, Column, SourceTable
from dataops.snapshots.manifest import blake3_hex, canonical_json
from dataops.snapshots.masking.base import Family, Masker
from dataops.snapshots.masking.choose import describe, masker_for

if TYPE_CHECKING:
    from dataops.infra.platform.document import Document

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NOT_PLAIN = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "keep", "like"})


@dataclass(frozen=True, slots=True)
class MaskedField:
    """A column that is changed: its place among the captured columns, its rule in words, and the rule at work."""

    index: int
    label: str
    rule: str
    family: Family
    masker: Masker = field(repr=False)  # it holds a key
    length: int | None = None
    padded: bool = False


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How one table is captured: which columns (generated ones are not) and which of them are changed."""

    table: SourceTable
    columns: tuple[str, ...]
    masked: tuple[MaskedField, ...]


@dataclass(frozen=True, slots=True)
class ObjectColumn:
    """One column of an object of the lake; `type` in words, `required` that it never holds NULL."""

    name: str
    type: str
    family: Family
    required: bool


@dataclass(slots=True)
class Problems:
    """What is wrong with a policy, and the lines that would put it right.

    Args:
        document: the `dataops.yaml` that the policy stands in, to say where.
    """

    document: Document | None = None
    found: list[str] = field(default_factory=list)
    missing: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def add_missing(self, section: str, owner: str, label: str, line: str) -> None:
        """Notes a column or object without a rule, and the line to add for it."""
        found = f"{label} has no masking rule"
        if found not in self.found:  # partitions share their rules
            self.found.append(found)
            self.missing.setdefault(section, {}).setdefault(owner, []).append(line)

    def raise_any(self) -> None:
        """Raises `VerificationError` with all that was noted, if anything was."""
        if not self.found:
            return
        lines = list(self.found[1:])
        if self.missing:
            lines += ["add to dataops.yaml:", "  masking:"]
        for section, owners in self.missing.items():
            lines.append(f"    {section}:")
            for owner, columns in owners.items():
                lines += [f"      {_key(owner)}:", *(f"        {line}" for line in columns)]
        raise VerificationError(
            self.found[0],
            where=self._where(),
            hint="every column needs a rule: `keep` only if it is neither personal nor secret",
            details="\n".join(lines) or None,
        )

    def _where(self) -> str | None:
        """The line of the rules that lack something, or else of the whole policy."""
        if self.document is None:
            return None
        section, owners = next(iter(self.missing.items()), ("", {}))
        place = ("masking", section, next(iter(owners), "")) if section else ("masking",)
        return f"{self.document.path}:{self.document.line(place)}"


def _key(name: str) -> str:
    """A name as a key of YAML."""
    plain = _PLAIN_KEY.fullmatch(name) and name.lower() not in _NOT_PLAIN
    return name if plain else json.dumps(name, ensure_ascii=False)


def policy_hash(masking: Masking) -> str:
    """The hash of all rules as they apply, `like` resolved."""

    def plain(rules: Mapping[str, AnyRule] | None) -> dict[str, str]:
        return {column: describe(rule) for column, rule in (rules or {}).items()}

    tables = {name: plain(masking.table_rules(name)) for name in masking.tables}
    return blake3_hex(
        canonical_json({"tables": tables, "lake": {n: plain(masking.object_rules(n)) for n in masking.lake}})
    )


def plan_tables(catalogue: Catalogue, masking: Masking, key: bytes, problems: Problems) -> tuple[TablePlan, ...]:
    """Puts a rule on every column of every table; columns without one, or with one that cannot stand, are problems."""
    problems.found += [f"the database has {what}" for what in catalogue.unsupported]
    maskers: dict[tuple[str, Family], Masker | None] = {}
    plans = []
    for table in catalogue.tables:
        if not re.match(TABLE, table.root) or "." in table.schema:
            problems.found.append(
                f"the table {table.root} has a name that no rule can have: lower-case letters, digits and _ only"
            )
            continue
        rules = masking.table_rules(table.root) or {}
        captured = [column for column in table.columns if not column.generated]
        masked = []
        for index, column in enumerate(captured):
            label = f"{table.root}.{column.name}"
            rule = rules.get(column.name)
            if rule is None:
                problems.add_missing("tables", table.root, label, suggestion(column.name, column.family))
                continue
            kind = (describe(rule), column.family)
            if kind not in maskers:
                maskers[kind] = masker_for(rule, column.family, key)
            masker = maskers[kind]
            complaint = _unfit(rule, masker, column, (table.root, column.name) in catalogue.partition_columns)
            if complaint:
                problems.found.append(f"{label} cannot be masked with `{rule.rule}`: {complaint}")
            elif masker is not None and not isinstance(rule, Keep):
                masked.append(MaskedField(index, label, *kind, masker, column.length, column.padded))
        plans.append(TablePlan(table, tuple(column.name for column in captured), tuple(masked)))
    _check_foreign_keys(catalogue, masking, problems)
    return tuple(plans)


def suggestion(column: str, family: Family) -> str:
    """A line for `dataops.yaml` that gives a column a rule which is safe for its type."""
    safe = {
        Family.TEXT: "hash",
        Family.DATE: "{rule: date_shift, days: 180}",
        Family.INTEGER: "digits",
        Family.UUID: "{rule: fpe, alphabet: hex}",
    }
    return f"{_key(column)}: {safe.get(family, 'null')}    # or `keep`"


def _unfit(rule: AnyRule, masker: Masker | None, column: Column, partitions: bool) -> str | None:
    if masker is None:
        return f"the rule does not serve the type {column.type}"
    if column.unique and not rule.injective:
        return "the column is part of a unique index, and different values could become equal"
    if rule.rule == "null" and column.required:
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
            note = "keep: []    # it is not Parquet, so it has no columns: it is copied as it is"
            problems.add_missing("lake", path, f"lake:{path}", note)
        elif rules:
            problems.found.append(f"lake:{path} cannot be masked: only Parquet objects have columns")
        return ()
    masked = []
    for index, column in enumerate(columns):
        label = f"lake:{path}.{column.name}"
        rule = (rules or {}).get(column.name)
        if rule is None:
            problems.add_missing("lake", path, label, suggestion(column.name, column.family))
            continue
        masker = masker_for(rule, column.family, key)
        if masker is None:
            complaint: str | None = f"the rule does not serve the type {column.type}"
        else:
            complaint = "the column is required" if rule.rule == "null" and column.required else None
        if complaint:
            problems.found.append(f"{label} cannot be masked with `{rule.rule}`: {complaint}")
        elif masker is not None and not isinstance(rule, Keep):
            masked.append(MaskedField(index, label, describe(rule), column.family, masker))
    if not columns and rules is None:
        problems.add_missing("lake", path, f"lake:{path}", "keep: []    # it has no columns")
    return tuple(masked)
