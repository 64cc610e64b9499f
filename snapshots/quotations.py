"""Values that a schema quotes: in defaults, constraints, views, comments, labels. It is copied as it is.

A schema that quotes a value of a masked column would carry it past the masking. Not every equal word is a leak: only
what could point at a person counts, by its form and by the rule of the column that it is a value of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataops.snapshots.masking.base import Family

if TYPE_CHECKING:
    from dataops.snapshots.plans import MaskedField

SHORTEST = 6
_PART = re.compile(r"^-- Name: (.*?); Type: (.*?); Schema: (.*?); Owner:.*$", re.MULTILINE)
_LITERAL = re.compile(r"'((?:[^']|'')+)'")
_WORD = re.compile(r"[^\s,;()<>\[\]{}\"'=|]+")
_DIGITS = re.compile(r"(?:\d[^\d\s]?){4}")
_IDENTIFIERS = frozenset({"phone", "fpe", "digits", "hash", "email", "card", "iban", "national_id", "uuid"})
_WORDS = frozenset({"name", "company", "address", "dictionary"})


@dataclass(frozen=True, slots=True)
class Quotation:
    """Where the schema quotes a text, and what kind of personal data it could be."""

    where: str
    address: bool
    number: bool
    name: bool

    def tells_of(self, field: MaskedField) -> bool:
        """Whether the text, found among the values of a column, is personal: it could be chance for a mere word."""
        kind = field.rule.partition("(")[0]
        if field.family not in (Family.TEXT, Family.UUID):
            return False
        return self.address or (self.number and kind in _IDENTIFIERS) or (self.name and kind in _WORDS)


def quotations(schema: str) -> dict[str, Quotation]:
    """The texts that a schema, as `pg_dump` writes it, quotes and that could point at a person."""
    found: dict[str, Quotation] = {}
    parts = [*_PART.finditer(schema)]
    ends = [*(part.start() for part in parts[1:]), len(schema)]  # a database may have nothing at all
    for part, end in zip(parts, ends, strict=False):
        name, kind, owner = part.groups()
        where = f"the {kind.lower()} {name if owner == '-' else f'{owner}.{name}'}"
        text = schema[part.end() : end]
        literals = {literal.replace("''", "'") for literal in _LITERAL.findall(text)}
        words = {word.strip(".:!?") for word in _WORD.findall(text)}
        for quoted in literals | words:
            if len(quoted) >= SHORTEST and quoted not in found:
                number = bool(_DIGITS.search(quoted))
                quotation = Quotation(where, "@" in quoted, number, quoted in literals and " " in quoted.strip())
                if quotation.address or quotation.number or quotation.name:
                    found[quoted] = quotation
    return found
