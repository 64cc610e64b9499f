"""The masking policy set against what is there: which rule stands on which column, or why the capture must stop.

Decided before any row is read. Fails closed: what no rule names does not leave production.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dataops.infra.errors import VerificationError
from dataops.infra.platform.masking import AnyRule, Keep, Masking
from dataops.snapshots.catalogue import Catalogue, Column, SourceTable
from dataops.snapshots.manifest import blake3_hex, canonical_json
from dataops.snapshots.masking.base import Family, Masker
from dataops.snapshots.masking.choose import describe, masker_for


@dataclass(frozen=True, slots=True)
class MaskedField:
    """A column that is changed: its place among the captured columns, its rule in words, and the rule at work."""

    index: int
    name: str
    label: str
    rule: str
    masker: Masker
    length: int | None
    padded: bool
    required: bool


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How one table is captured: which columns (generated ones are not) and which of them are changed."""

    table: SourceTable
    columns: tuple[str, ...]
    masked: tuple[MaskedField, ...]


@dataclass(slots=True)
class _Problems:
    """What is wrong with a policy, and the lines that would put it right."""

    found: list[str]
    missing: dict[str, list[str]]

    def raise_any(self, section: str) -> None:
        if not self.found:
            return
        lines = list(self.found[1:])
        if self.missing:
            lines += ["add to dataops.yaml:", "  masking:", f"    {section}:"]
            for owner, columns in self.missing.items():
                lines += [f"      {owner}:", *(f"        {line}" for line in columns)]
        raise VerificationError(
            self.found[0],
            hint="every column needs a rule: `keep` only if it is neither personal nor secret",
            details="\n".join(lines) or None,
        )


def policy_hash(masking: Masking) -> str:
    """The hash of all rules as they apply, `like` resolved."""

    def plain(rules: Mapping[str, AnyRule] | None) -> dict[str, str]:
        return {column: describe(rule) for column, rule in (rules or {}).items()}

    tables = {name: plain(masking.table_rules(name)) for name in masking.tables}
    return blake3_hex(
        canonical_json({"tables": tables, "lake": {n: plain(masking.object_rules(n)) for n in masking.lake}})
    )


def plan_tables(catalogue: Catalogue, masking: Masking, key: bytes) -> tuple[TablePlan, ...]:
    """Puts a rule on every column of every table.

    Raises:
        VerificationError: a column has no rule, or one that cannot stand there; names all such columns.
    """
    problems = _Problems([f"the database has {what}" for what in catalogue.unsupported], {})
    maskers: dict[tuple[str, Family], Masker | None] = {}
    plans = []
    for table in catalogue.tables:
        rules = masking.table_rules(table.root) or {}
        captured = [column for column in table.columns if not column.generated]
        masked = []
        for index, column in enumerate(captured):
            label = f"{table.root}.{column.name}"
            rule = rules.get(column.name)
            if rule is None:
                _missing(problems, table.root, label, column)
                continue
            kind = (describe(rule), column.family)
            if kind not in maskers:
                maskers[kind] = masker_for(rule, column.family, key)
            masker = maskers[kind]
            complaint = _unfit(rule, masker, column, (table.root, column.name) in catalogue.partition_columns)
            if complaint:
                problems.found.append(f"{label} cannot be masked with `{rule.rule}`: {complaint}")
            elif masker is not None and not isinstance(rule, Keep):
                masked.append(
                    MaskedField(
                        index,
                        column.name,
                        label,
                        describe(rule),
                        masker,
                        column.length,
                        column.padded,
                        column.required,
                    )
                )
        plans.append(TablePlan(table, tuple(column.name for column in captured), tuple(masked)))
    _check_foreign_keys(catalogue, masking, problems)
    problems.raise_any("tables")
    return tuple(plans)


def _missing(problems: _Problems, owner: str, label: str, column: Column) -> None:
    found = f"{label} has no masking rule"
    if found not in problems.found:  # partitions share their rules
        problems.found.append(found)
        problems.missing.setdefault(owner, []).append(suggestion(column.name, column.family))


def suggestion(column: str, family: Family) -> str:
    """A line for `dataops.yaml` that gives a column a rule which is safe for its type."""
    safe = {
        Family.TEXT: "hash",
        Family.DATE: "{rule: date_shift, days: 180}",
        Family.INTEGER: "digits",
        Family.UUID: "{rule: fpe, alphabet: hex}",
    }
    return f"{column}: {safe.get(family, 'null')}    # or `keep`"


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


def _check_foreign_keys(catalogue: Catalogue, masking: Masking, problems: _Problems) -> None:
    for foreign in catalogue.foreign_keys:
        here, there = masking.table_rules(foreign.table) or {}, masking.table_rules(foreign.referenced) or {}
        for own, other in zip(foreign.columns, foreign.referenced_columns, strict=True):
            if own in here and other in there and describe(here[own]) != describe(there[other]):
                problems.found.append(
                    f"{foreign.table}.{own} has the rule `{describe(here[own])}`, but {foreign.referenced}.{other},"
                    f" which it refers to ({foreign.name}), has `{describe(there[other])}`"
                )


def plan_columns(
    path: str, columns: Sequence[tuple[str, Family]], masking: Masking, key: bytes
) -> tuple[MaskedField, ...]:
    """Puts a rule on every column of an object of the lake; the columns that are changed.

    Raises:
        VerificationError: the object or a column has no rule, or one that cannot stand there.
    """
    problems = _Problems([], {})
    rules = masking.object_rules(path)
    if rules is None and not columns:
        problems.found.append(f"lake:{path} has no masking rule")
        problems.missing[path] = ["keep: []    # the object has no columns: it is copied as it is"]
    masked = []
    for index, (name, family) in enumerate(columns):
        label = f"lake:{path}.{name}"
        rule = (rules or {}).get(name)
        if rule is None:
            problems.found.append(f"{label} has no masking rule")
            problems.missing.setdefault(path, []).append(suggestion(name, family))
            continue
        masker = masker_for(rule, family, key)
        if masker is None:
            problems.found.append(f"{label} cannot be masked with `{rule.rule}`: the rule does not serve its type")
        elif not isinstance(rule, Keep):
            masked.append(MaskedField(index, name, label, describe(rule), masker, None, False, False))
    if not columns and any(not isinstance(rule, Keep) for rule in (rules or {}).values()):
        problems.found.append(f"lake:{path} cannot be masked: only Parquet objects have columns")
    problems.raise_any("lake")
    return tuple(masked)
