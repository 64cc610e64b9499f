"""Masking rules: what happens to each column when data leaves production.

Fail closed: a column without a rule stops a capture. Rules are deterministic under one key, so equal values stay equal
wherever the same rule is applied to them, and joins across tables and between warehouse and lake survive. A rule is
*injective* when different values stay different: only such a rule may stand on a unique column.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from dataops.infra.platform.names import ObjectName, Table, Text

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


class Email(Rule):
    """An address that no two people share, below a domain that delivers nowhere."""

    injective = True
    rule: Literal["email"]
    domain: Text = Field(default="example.com", description="The domain of the masked addresses.")


class Phone(Rule):
    """The digits of a telephone number are encrypted (FF1); country code and punctuation stay."""

    injective = True
    rule: Literal["phone"]


class DateShift(Rule):
    """A date or time is moved by a number of days that depends on the value itself."""

    rule: Literal["date_shift"]
    days: int = Field(strict=True, ge=1, le=3650, description="The furthest it is moved, in days, either way.")


class RedactedText(Rule):
    """Free text becomes one fixed text; NULL and the empty text stay."""

    rule: Literal["text"]
    replacement: str = Field(default="[redacted]", description="The text to write instead.")


AnyRule = Keep | Null | Constant | Hash | Digits | Fpe | PersonName | Email | Phone | DateShift | RedactedText
RULES: tuple[type[Rule], ...] = (
    Keep,
    Null,
    Constant,
    Hash,
    Digits,
    Fpe,
    PersonName,
    Email,
    Phone,
    DateShift,
    RedactedText,
)
SHORT_RULES = ("keep", "null", "hash", "digits", "fpe", "name", "email", "phone", "text")
"""Rules that may be written as a bare word, since they need no option."""


class _ShortForm:
    """Lets the JSON Schema say that a rule without options may be a bare word."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"enum": list(SHORT_RULES), "type": "string"}, handler(core)]}


def _expand(value: Any) -> Any:
    if value is None:
        return {"rule": "null"}
    return {"rule": value} if isinstance(value, str) else value


MaskingRule = Annotated[AnyRule, Field(discriminator="rule"), BeforeValidator(_expand), _ShortForm]
"""A rule, as `{rule: NAME, …options}` or as a bare NAME."""


class ColumnRules(BaseModel):
    """The rules of one table or file: every other key is a column and its rule.

    Args:
        keep: columns that stay as they are, in one list.
        like: a table (or, in the lake, a table or another object) whose rules these columns follow.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    __pydantic_extra__: dict[str, MaskingRule]

    keep: tuple[Text, ...] = Field(default=(), description="Columns that stay as they are.")
    like: Text | None = Field(
        default=None, description="A table `schema.table` or an object of the lake whose rules hold here as well."
    )

    @property
    def own(self) -> dict[str, AnyRule]:
        """The rules written here, without those of `like`."""
        return {**{column: Keep(rule="keep") for column in self.keep}, **(self.__pydantic_extra__ or {})}


class Masking(BaseModel):
    """What happens to each column of each table and file on its way into a snapshot."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    tables: dict[Table, ColumnRules] = Field(default={}, description="Rules by table of the warehouse, `schema.table`.")
    lake: dict[ObjectName, ColumnRules] = Field(default={}, description="Rules by object of the lake.")

    def table_rules(self, table: str) -> dict[str, AnyRule] | None:
        """The rules of a table by column, those of `like` included; None when the table is not named at all."""
        return self._resolve(self.tables.get(table), ())

    def object_rules(self, path: str) -> dict[str, AnyRule] | None:
        """The rules of an object of the lake by column; None when the object is not named at all."""
        return self._resolve(self.lake.get(path), ())

    def entry(self, name: str) -> ColumnRules | None:
        """What `like: name` refers to: a table first, else an object."""
        return self.tables.get(name) or self.lake.get(name)

    def _resolve(self, rules: ColumnRules | None, seen: tuple[int, ...]) -> dict[str, AnyRule] | None:
        if rules is None:
            return None
        if rules.like is None or id(rules) in seen:
            return rules.own
        return {**(self._resolve(self.entry(rules.like), (*seen, id(rules))) or {}), **rules.own}
