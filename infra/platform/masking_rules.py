"""Masking rules: what can happen to the values of a column.

Rules are deterministic under one key. A rule is *injective* when different values stay different: only such a rule may
stand on a unique column. Teams bring rules of their own as entry points of the group `dataops.masking`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from dataops.infra.platform.names import SqlName, Text

GROUP = "dataops.masking"
"""The group of entry points that bring rules."""

ALPHABETS = {
    "digits": "0123456789",
    "hex": "0123456789abcdef",
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "upper_digits": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "alphanumeric": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
}
"""Alphabets that have a name; any other text is an alphabet by itself."""


class Rule(BaseModel):
    """What all rules share; `injective` says whether different values stay different."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    injective: ClassVar[bool] = False

    @property
    def word(self) -> str:
        """The name under which it is written."""
        return str(self.__dict__["rule"])

    def beside(self, rules: Mapping[str, Rule]) -> tuple[str, ...]:
        """The columns of the same row that have a part in the mask.

        Args:
            rules: those of all columns of the table.
        """
        return ()


class Keep(Rule):
    """The value stays as it is: it is neither personal nor secret."""

    injective = True
    rule: Literal["keep"]


class Null(Rule):
    """The value becomes NULL."""

    rule: Literal["null"]


class Constant(Rule):
    """Every value becomes the same one; NULL stays NULL."""

    rule: Literal["constant"]
    value: str | int | float | bool = Field(description="The value to write instead, of the column's type.")


class Hash(Rule):
    """The value becomes 64 hexadecimal digits of a keyed hash, uncut."""

    injective = True
    rule: Literal["hash"]


class Digits(Rule):
    """Digits are encrypted as digits (FF1), everything else stays: for numbers and formatted numbers."""

    injective = True
    rule: Literal["digits"]


class Fpe(Rule):
    """Format-preserving encryption (FF1): the value keeps its length and its alphabet."""

    injective = True
    rule: Literal["fpe"]
    alphabet: str = Field(
        default="upper_digits",
        description=f"The characters that are encrypted, or one of {', '.join(ALPHABETS)}; others stay in place.",
    )

    @field_validator("alphabet")
    @classmethod
    def _usable(cls, alphabet: str) -> str:
        characters = ALPHABETS.get(alphabet, alphabet)
        if not 2 <= len(characters) <= 256 or len(set(characters)) != len(characters):
            raise PydanticCustomError("alphabet", "expected 2 to 256 different characters, or the name of an alphabet")
        return alphabet

    @property
    def characters(self) -> str:
        """The alphabet itself, named ones looked up."""
        return ALPHABETS.get(self.alphabet, self.alphabet)


class PersonName(Rule):
    """A name from a dictionary, picked by a keyed hash of the value."""

    rule: Literal["name"]
    part: Literal["full", "first", "last"] = Field(default="full", description="Which part of a name the column holds.")


class Company(Rule):
    """A made-up name of a company, picked by a keyed hash of the value."""

    rule: Literal["company"]


class Address(Rule):
    """A made-up address, picked by a keyed hash of the value."""

    rule: Literal["address"]
    part: Literal["full", "street", "city", "postcode"] = Field(
        default="full", description="Which part of an address the column holds."
    )


class Dictionary(Rule):
    """One of your own words, picked by a keyed hash of the value."""

    rule: Literal["dictionary"]
    words: tuple[Text, ...] = Field(min_length=1, description="The words to pick from.")


class Email(Rule):
    """An address that no two people share, below a domain that delivers nowhere."""

    injective = True
    rule: Literal["email"]
    domain: Text = Field(default="example.com", description="The domain of the masked addresses.")


class Phone(Rule):
    """The digits of a telephone number are encrypted (FF1); country code and punctuation stay."""

    injective = True
    rule: Literal["phone"]


class Card(Rule):
    """The number of a payment card is encrypted (FF1) and has a valid check digit again; the first digit stays."""

    injective = True
    rule: Literal["card"]


class Iban(Rule):
    """The number of a bank account is encrypted (FF1) and has valid check digits again; the country stays."""

    injective = True
    rule: Literal["iban"]


class NationalId(Rule):
    """A national identity number is encrypted (FF1) and has a valid check digit again."""

    injective = True
    rule: Literal["national_id"]
    kind: Literal["br_cpf", "ca_sin", "es_dni", "fr_nir", "gb_nino", "nl_bsn", "us_ssn"] = Field(
        description="The country and the name of its number."
    )


class Uuid(Rule):
    """The digits of a UUID are encrypted (FF1); version, variant and case stay."""

    injective = True
    rule: Literal["uuid"]


class DateShift(Rule):
    """A date or time is moved by a number of days that depends on the value itself or on whom it tells of."""

    rule: Literal["date_shift"]
    days: int = Field(strict=True, ge=1, le=3650, description="The furthest it is moved, in days, either way.")
    by: Text | None = Field(
        default=None,
        description="The column that names whom the date tells of: all dates of one person are moved alike.",
    )

    def beside(self, rules: Mapping[str, Rule]) -> tuple[str, ...]:
        return (self.by,) if self.by else ()


class Generalise(Rule):
    """The value becomes a coarser one: the beginning of a period, of a text, or of a range of numbers."""

    rule: Literal["generalise"]
    to: Literal["month", "quarter", "year", "decade"] | None = Field(
        default=None, description="The period whose first day a date becomes."
    )
    prefix: int | None = Field(
        default=None, strict=True, ge=0, le=100, description="The first characters that stay, of a postcode, say."
    )
    width: Decimal | None = Field(
        default=None, gt=0, description="The width of the ranges of numbers; the end nearest to zero is written."
    )

    @model_validator(mode="after")
    def _one(self) -> Generalise:
        if sum(choice is not None for choice in (self.to, self.prefix, self.width)) != 1:
            raise PydanticCustomError("one_of", "expected exactly one of `to`, `prefix` and `width`")
        return self


class RedactedText(Rule):
    """Free text becomes one fixed text; NULL and the empty text stay."""

    rule: Literal["text"]
    replacement: str = Field(default="[redacted]", description="The text to write instead.")


class Redact(Rule):
    """In free text e-mail addresses, telephone and other numbers, cards and the row's names are replaced."""

    rule: Literal["redact"]
    names: tuple[Text, ...] | None = Field(
        default=None, description="Columns whose texts are replaced as well; by default those with made-up words."
    )

    def beside(self, rules: Mapping[str, Rule]) -> tuple[str, ...]:
        if self.names is not None:
            return self.names
        return tuple(
            name for name, rule in rules.items() if isinstance(rule, (PersonName, Company, Address, Dictionary))
        )


class Classified(Rule):
    """The rule of a class of data, such as `email`."""

    rule: Literal["class"]
    name: SqlName = Field(description="The class, of `masking.classes` or a built-in one.")


class Custom(Rule):
    """A rule that an installed package brings."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    rule: Text = Field(
        description="Its name among the entry points of the group `dataops.masking`.",
        json_schema_extra=lambda schema: schema.update({"not": {"enum": _own_names()}}),
    )

    @field_validator("rule")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in brought():
            raise PydanticCustomError("unknown_rule", "there is no such rule")
        return name


def _own_names() -> list[JsonValue]:
    """The names of the rules that are no package's."""
    names: list[JsonValue] = []
    for kind in Rule.__subclasses__():
        if kind is not Custom:
            names += kind.model_fields["rule"].annotation.__args__  # type: ignore[union-attr]
    return names


@cache
def brought() -> dict[str, Any]:
    """The entry points of rules that installed packages bring, by name; nothing of them is imported."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}
