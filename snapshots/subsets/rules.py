"""Subset rules as they are typed: which rows of which table are taken.

flights:5%                     that part of the rows, chosen by a hash of their key: always the same ones
flights:200                    so many rows, the first by that hash
flights:all                    every row
flights:none                   only rows that others refer to
bookings:down                  the rows that refer to chosen rows go along
flights:carrier = 'UA'         the rows for which a predicate of SQL holds
lake:raw/*.parquet:none        the same for objects of the lake, by their paths; there is no predicate
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from dataops.infra.errors import ConfigurationError

OPTION = "--subset"
LAKE = "lake:"
HINT = "write TABLE:5%, TABLE:200, TABLE:all, TABLE:none, TABLE:down or TABLE:PREDICATE, such as flights:carrier = 'UA'"
_TABLE = re.compile(r"\s*([a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?)\s*:(.*)", re.DOTALL)
_OBJECTS = re.compile(r"\s*lake:([^:]+):(.*)", re.DOTALL)
_PERCENT = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*%")
_COUNT = re.compile(r"[+-]?\d+")

Kind = Literal["percent", "count", "all", "none", "down", "predicate"]


@dataclass(frozen=True, slots=True)
class SubsetRule:
    """One rule.

    Args:
        table: the table, with its schema or without; of a rule for the lake, the pattern of paths.
        kind: how rows are chosen.
        value: the percentage, the number or the predicate; else the word itself.
        lake: whether it is for objects of the lake.
    """

    table: str
    kind: Kind
    value: str
    lake: bool = False

    @property
    def text(self) -> str:
        """The rule as it would be typed, in one form."""
        return f"{LAKE if self.lake else ''}{self.table}:{self.value}{'%' if self.kind == 'percent' else ''}"

    @property
    def where(self) -> str:
        """The place that errors name."""
        return f"{OPTION} {self.text}"

    @property
    def part(self) -> Decimal:
        """Of a percentage, the part of one."""
        return Decimal(self.value) / 100

    def covers(self, other: SubsetRule) -> bool:
        """Whether this rule, typed by somebody who may leave the schema out, means the other, which has it."""
        same = (self.kind, self.value, self.lake) == (other.kind, other.value, other.lake)
        return same and (self.table == other.table or (not self.lake and f".{self.table}" == _own_name(other.table)))


def _own_name(table: str) -> str:
    return f".{table.rpartition('.')[2]}"


def parse_rule(text: str) -> SubsetRule:
    """Reads a rule.

    Raises:
        ConfigurationError: it is none, or its number is out of range.
    """
    lake = text.lstrip().startswith(LAKE)
    match = (_OBJECTS if lake else _TABLE).fullmatch(text)
    if match is None:
        raise ConfigurationError("it is no subset rule", where=f"{OPTION} {text}", hint=HINT)
    table, value = match[1].strip(), match[2].strip()
    rule = SubsetRule(table, *_kind(value, text), lake=lake)
    if lake and rule.kind in ("down", "predicate"):
        raise ConfigurationError(
            "objects are chosen by their paths, not by what is in them",
            where=rule.where,
            hint="write lake:PATTERN:none, all, 5% or a number",
        )
    return rule


def _kind(value: str, text: str) -> tuple[Kind, str]:
    where = f"{OPTION} {text}"
    if found := _PERCENT.fullmatch(value):
        percent = Decimal(found[1])
        if not 0 < percent <= 100:
            raise ConfigurationError("a percentage is more than 0 and at most 100", where=where, hint=HINT)
        return "percent", f"{percent.normalize():f}"
    if _COUNT.fullmatch(value):
        if not 0 < int(value) < 2**63:
            raise ConfigurationError("a number of rows is at least 1", where=where, hint="for none, write TABLE:none")
        return "count", str(int(value))
    if value in ("all", "none", "down"):
        return value, value  # type: ignore[return-value]
    if not value:
        raise ConfigurationError("the rule says nothing of which rows", where=where, hint=HINT)
    if "\0" in value:
        raise ConfigurationError("no predicate holds the character NUL", where=where)
    return "predicate", value


def parse_rules(texts: Iterable[str]) -> tuple[SubsetRule, ...]:
    """Reads rules, each once, in their order.

    Raises:
        ConfigurationError: as `parse_rule`.
    """
    return tuple(dict.fromkeys(map(parse_rule, texts)))
