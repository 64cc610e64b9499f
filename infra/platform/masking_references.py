"""Whether what the masking policy refers to exists: schemas, other rules, classes of data."""

from __future__ import annotations

from collections.abc import Iterator

from dataops.infra.platform.document import Location
from dataops.infra.platform.masking import ColumnRules, Json, Masking
from dataops.infra.platform.masking_rules import Classified, Rule
from dataops.infra.platform.model import Platform
from dataops.infra.platform.problems import nearest

Finding = tuple[Location, str, str]
"""A place, what is wrong with it, a hint."""


def schema_finding(place: Location, table: str, schemas: set[str]) -> Iterator[Finding]:
    """Whether the schema of a table exists."""
    schema = table.partition(".")[0]
    if schema not in schemas:
        yield place, f"the warehouse has no schema `{schema}`", nearest(schema, schemas, "schemas")


def masking_findings(platform: Platform) -> Iterator[Finding]:
    """Every reference of the masking policy, and of what products say of their columns, that leads nowhere."""
    policy, schemas = platform.policy, set(platform.stores.warehouse.schemas)
    for name, rule in policy.classes.items():
        place: Location = ("masking", "classes", name)
        if isinstance(rule, Classified):
            yield place, "a class cannot stand for another class", "give it a rule"
        else:
            yield from _classes(place, rule, policy)
    for table, rules in policy.tables.items():
        place = ("masking", "tables", table)
        yield from schema_finding(place, table, schemas)
        yield from _rules(policy, place, rules, {*policy.tables, *policy.classified} - {table}, table)
    for path, rules in policy.lake.items():
        others = {*policy.lake, *policy.tables, *policy.classified} - {path}
        yield from _rules(policy, ("masking", "lake", path), rules, others, None)
    yield from _classified(platform, policy)


def _rules(
    policy: Masking, place: Location, rules: ColumnRules, others: set[str], table: str | None
) -> Iterator[Finding]:
    own = rules.__pydantic_extra__ or {}
    for column, rule in own.items():
        yield from _classes((*place, column), rule, policy)
    for i, column in enumerate(rules.keep):
        if column in own or column in rules.keep[:i]:
            yield (*place, "keep", i), f"the column `{column}` has another rule as well", "give each column one rule"
    if rules.like is None:
        if not rules.keep and not own and table not in policy.classified:
            yield place, "names no column", "give each column a rule, or refer to others with `like`"
        return
    if rules.like not in others:
        yield (*place, "like"), f"no rules are given for `{rules.like}`", nearest(rules.like, others, "ones")
        return
    seen, at = {id(rules)}, policy.entry(rules.like)
    while at is not None and at.like is not None and id(at) not in seen:
        seen.add(id(at))
        at = policy.entry(at.like)
    if at is rules:
        yield (*place, "like"), "the rules refer to themselves", "let one of them name its columns"


def _classes(place: Location, rule: Rule, policy: Masking) -> Iterator[Finding]:
    """The classes that a rule, or one within it, names and that have no rule."""
    if isinstance(rule, Classified) and rule.name not in policy.class_names:
        yield place, f"there is no class of data `{rule.name}`", nearest(rule.name, policy.class_names, "classes")
    elif isinstance(rule, Json):
        for path, own in rule.paths.items():
            yield from _classes((*place, "paths", path), own, policy)
        if rule.unlisted != "stop":
            yield from _classes((*place, "unlisted"), rule.unlisted, policy)


def _classified(platform: Platform, policy: Masking) -> Iterator[Finding]:
    places: list[tuple[Location, dict[str, dict[str, str]]]] = [
        (("masking", "classified"), platform.masking.classified),
        *((("products", name, "classified"), product.classified) for name, product in platform.products.items()),
    ]
    for place, tables in places:
        for table, columns in tables.items():
            for column, name in columns.items():
                if name not in policy.class_names:
                    hint = nearest(name, policy.class_names, "classes")
                    yield (*place, table, column), f"there is no class of data `{name}`", hint
    for name, product in platform.products.items():
        for table in product.classified:
            if table not in product.tables:
                hint = nearest(table, product.tables, "tables")
                yield ("products", name, "classified", table), f"the product has no table `{table}`", hint
