"""Subset rules as they are typed: what they mean, and what is refused with the rule's own text."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dataops.infra.errors import ConfigurationError
from dataops.snapshots.subsets.rules import SubsetRule, parse_rule, parse_rules


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("flights:5%", SubsetRule("flights", "percent", "5")),
        (" raw.flights : 0.50 % ", SubsetRule("raw.flights", "percent", "0.5")),
        ("flights:100%", SubsetRule("flights", "percent", "100")),
        ("flights:007", SubsetRule("flights", "count", "7")),
        ("flights:all", SubsetRule("flights", "all", "all")),
        ("flights:none", SubsetRule("flights", "none", "none")),
        ("flights:down", SubsetRule("flights", "down", "down")),
        ("flights: (down)", SubsetRule("flights", "predicate", "(down)")),
        ("flights: at > '10:00'::time", SubsetRule("flights", "predicate", "at > '10:00'::time")),
        ("lake:raw/*.parquet:none", SubsetRule("raw/*.parquet", "none", "none", lake=True)),
        ("lake:raw/*:10%", SubsetRule("raw/*", "percent", "10", lake=True)),
    ],
)
def test_a_rule_is_read_and_written_in_one_form(text: str, rule: SubsetRule) -> None:
    assert parse_rule(text) == rule
    assert parse_rule(rule.text) == rule


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("flights", "no subset rule"),
        ("", "no subset rule"),
        (":5%", "no subset rule"),
        ("Flights:5%", "no subset rule"),
        ("a.b.c:5%", "no subset rule"),
        ("flights:", "says nothing"),
        ("flights:0%", "more than 0"),
        ("flights:-5%", "more than 0"),
        ("flights:100.1%", "more than 0"),
        ("flights:0", "at least 1"),
        ("flights:-3", "at least 1"),
        ("flights:99999999999999999999", "at least 1"),
        ("flights: a = '\0'", "NUL"),
        ("lake:raw/*:down", "by their paths"),
        ("lake:raw/*:size > 3", "by their paths"),
        ("lake:raw", "no subset rule"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_text(text: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what) as caught:
        parse_rule(text)
    assert caught.value.where is not None and caught.value.where.startswith("--subset")
    assert caught.value.hint or "NUL" in what


def test_the_same_rule_twice_counts_once_and_a_percentage_is_exact() -> None:
    rules = parse_rules(["flights:5%", "flights:5.0%", "bookings:down"])
    assert [rule.text for rule in rules] == ["flights:5%", "bookings:down"]
    assert parse_rule("flights:0.1%").part == Decimal("0.001")


def test_a_rule_without_its_schema_means_the_one_with_it() -> None:
    recorded = parse_rule("raw.flights:5%")
    assert parse_rule("flights:5.0%").covers(recorded)
    assert parse_rule("raw.flights:5%").covers(recorded)
    assert not parse_rule("mart.flights:5%").covers(recorded)
    assert not parse_rule("flights:6%").covers(recorded)
    assert not parse_rule("ghts:5%").covers(recorded)
