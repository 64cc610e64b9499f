"""The masking policy: which rule stands on which column when data leaves production.

Fail closed: a column without a rule stops a capture. Rules are deterministic under one key, so equal values stay equal
wherever the same rule is applied to them, and joins across tables and between warehouse and lake survive. A column gets
its rule by name, or by the class of data that it holds (`infra/platform/classes.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from dataops.infra.platform.classes import built_in
from dataops.infra.platform.masking_rules import (
    Address,
    Card,
    Classified,
    Company,
    Constant,
    Custom,
    DateShift,
    Dictionary,
    Digits,
    Email,
    Fpe,
    Generalise,
    Hash,
    Iban,
    Keep,
    NationalId,
    Null,
    PersonName,
    Phone,
    Redact,
    RedactedText,
    Rule,
    Uuid,
    brought,
)
from dataops.infra.platform.names import ObjectName, SqlName, Table, Text
from dataops.infra.platform.paths import split_path

_VALUE_RULES: tuple[type[Rule], ...] = (
    Keep,
    Null,
    Constant,
    Hash,
    Digits,
    Fpe,
    PersonName,
    Company,
    Address,
    Dictionary,
    Email,
    Phone,
    Card,
    Iban,
    NationalId,
    Uuid,
    DateShift,
    Generalise,
    RedactedText,
    Redact,
)
SHORT_RULES = (
    *("keep", "null", "hash", "digits", "fpe", "name", "company", "address", "email", "phone", "card", "iban"),
    *("uuid", "text", "redact"),
)
"""Rules that may be written as a bare word, since they need no option."""


class _ShortForm:
    """Lets the JSON Schema say that a rule without options may be a bare word, and a class as `{class: NAME}`."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        named = {"type": "object", "properties": {"class": {"type": "string"}}, "required": ["class"]}
        return {"anyOf": [{"enum": list(SHORT_RULES), "type": "string"}, named, handler(core)]}


def _expand(value: Any) -> Any:
    if value is None:
        return {"rule": "null"}
    if isinstance(value, dict) and set(value) == {"class"}:
        return {"rule": "class", "name": value["class"]}
    return {"rule": value} if isinstance(value, str) else value


def name_of(kind: type[Rule]) -> str:
    """The name under which a rule is written."""
    return str(kind.model_fields["rule"].annotation.__args__[0])  # type: ignore[union-attr]


def rule_names() -> set[str]:
    """The names that a rule can have, those of installed packages included."""
    return {*_NAMES, *brought()}


def _kind(value: Any) -> str | None:
    """The tag of a rule; a name that is none of ours is that of a package, if there is one."""
    name = value.get("rule") if isinstance(value, dict) else getattr(value, "rule", None)
    if not isinstance(name, str):
        return None
    return name if name in _NAMES else "custom"


_NAMES = frozenset({*map(name_of, _VALUE_RULES), "class", "json"})
_ValueRule = (
    Annotated[Keep, Tag("keep")]
    | Annotated[Null, Tag("null")]
    | Annotated[Constant, Tag("constant")]
    | Annotated[Hash, Tag("hash")]
    | Annotated[Digits, Tag("digits")]
    | Annotated[Fpe, Tag("fpe")]
    | Annotated[PersonName, Tag("name")]
    | Annotated[Company, Tag("company")]
    | Annotated[Address, Tag("address")]
    | Annotated[Dictionary, Tag("dictionary")]
    | Annotated[Email, Tag("email")]
    | Annotated[Phone, Tag("phone")]
    | Annotated[Card, Tag("card")]
    | Annotated[Iban, Tag("iban")]
    | Annotated[NationalId, Tag("national_id")]
    | Annotated[Uuid, Tag("uuid")]
    | Annotated[DateShift, Tag("date_shift")]
    | Annotated[Generalise, Tag("generalise")]
    | Annotated[RedactedText, Tag("text")]
    | Annotated[Redact, Tag("redact")]
    | Annotated[Classified, Tag("class")]
    | Annotated[Custom, Tag("custom")]
)
ValueRule = Annotated[_ValueRule, Discriminator(_kind), BeforeValidator(_expand), _ShortForm]
"""A rule for single values, as `{rule: NAME, …options}` or as a bare NAME."""


def _usable_path(path: str) -> str:
    try:
        split_path(path)
    except ValueError:
        raise PydanticCustomError("path", "expected a path such as `contact.email` or `items[].note`") from None
    return path


class Json(Rule):
    """Rules for the paths within documents; a value on a path that is not listed stops the capture."""

    rule: Literal["json"]
    paths: dict[Text, ValueRule] = Field(description="Rules by path: `contact.email`, `items[].note`, `phones.*`.")
    unlisted: Literal["stop"] | ValueRule = Field(
        default="stop", description="What happens to values on other paths; by default they stop the capture."
    )
    keys: Literal["hash", "keep"] = Field(
        default="hash", description="What happens to the keys that `*` stands for: they could be data."
    )

    @field_validator("paths")
    @classmethod
    def _usable(cls, paths: dict[str, Any]) -> dict[str, Any]:
        for path, rule in paths.items():
            _usable_path(path)
            if rule.beside({}):
                raise PydanticCustomError("path", "within documents no rule can depend on another column")
        return paths


AnyRule = _ValueRule | Json
RULES: tuple[type[Rule], ...] = (*_VALUE_RULES, Json)
"""The rules that dataops itself brings, but for `class`, which stands for one of them."""
MaskingRule = Annotated[
    _ValueRule | Annotated[Json, Tag("json")], Discriminator(_kind), BeforeValidator(_expand), _ShortForm
]
"""A rule of a column."""


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

    classes: dict[SqlName, MaskingRule] = Field(
        default={}, description="Rules by class of data, such as `email`; they replace and extend the built-in ones."
    )
    classified: dict[Table, dict[Text, SqlName]] = Field(
        default={}, description="The classes of columns by table, as data products say it; a rule goes before."
    )
    tables: dict[Table, ColumnRules] = Field(default={}, description="Rules by table of the warehouse, `schema.table`.")
    lake: dict[ObjectName, ColumnRules] = Field(default={}, description="Rules by object of the lake.")

    def rule_of(self, name: str) -> AnyRule | None:
        """The rule of a class of data; None when there is no such class."""
        rule = self.classes.get(name) or built_in().get(name)
        return None if isinstance(rule, Classified) else rule  # type: ignore[return-value]

    @property
    def class_names(self) -> frozenset[str]:
        """Every class that has a rule."""
        return frozenset({*self.classes, *built_in()})

    def with_classified(self, products: Iterable[Mapping[str, Mapping[str, str]]]) -> Masking:
        """The same policy with what data products say of the classes of their columns."""
        classified = {table: dict(columns) for table, columns in self.classified.items()}
        for product in products:
            for table, columns in product.items():
                classified[table] = {**columns, **classified.get(table, {})}
        return self.model_copy(update={"classified": classified})

    def table_rules(self, table: str) -> dict[str, AnyRule] | None:
        """The rules of a table by column, those of `like` and of classes included; None when nothing names it."""
        return self._settled(self._resolve(table, self.tables.get(table), ()))

    def object_rules(self, path: str) -> dict[str, AnyRule] | None:
        """The rules of an object of the lake by column; None when the object is not named at all."""
        return self._settled(self._resolve(None, self.lake.get(path), ()))

    def entry(self, name: str) -> ColumnRules | None:
        """What `like: name` refers to: a table first, else an object."""
        return self.tables.get(name) or self.lake.get(name)

    def place_of(self, section: str, owner: str, column: str) -> tuple[str, ...]:
        """Where the rule of a column is written, as keys below `masking`; there must be one."""
        seen: set[str] = set()
        while owner not in seen:
            seen.add(owner)
            rules = self.tables.get(owner) if section == "tables" else self.lake.get(owner)
            own = rules.own.get(column) if rules else None
            if isinstance(own, Classified):
                return "classes", own.name
            if own is not None or rules is None or rules.like is None:
                break
            owner = rules.like
            section = "tables" if owner in self.tables else "lake"
        else:
            return section, owner, column
        if own is None and column in self.classified.get(owner, {}):
            return "classes", self.classified[owner][column]
        return section, owner, column

    def known(self, name: str) -> bool:
        """Whether `like: name` refers to something."""
        return name in self.tables or name in self.lake or name in self.classified

    def _resolve(
        self, table: str | None, rules: ColumnRules | None, seen: tuple[int, ...]
    ) -> dict[str, AnyRule] | None:
        classes = self.classified.get(table) if table else None
        found: dict[str, AnyRule] = {c: Classified(rule="class", name=n) for c, n in (classes or {}).items()}
        if rules is None:
            return None if classes is None else found
        if rules.like is not None and id(rules) not in seen:
            found = {**(self._resolve(rules.like, self.entry(rules.like), (*seen, id(rules))) or {}), **found}
        return {**found, **rules.own}

    def _settled(self, rules: dict[str, AnyRule] | None) -> dict[str, AnyRule] | None:
        """Rules without classes; one whose class is unknown is left out, so that its column has none."""
        if rules is None:
            return None
        settled = {column: self._settle(rule) for column, rule in rules.items()}
        return {column: rule for column, rule in settled.items() if rule is not None}

    def _settle(self, rule: AnyRule) -> AnyRule | None:
        found = self.rule_of(rule.name) if isinstance(rule, Classified) else rule
        if not isinstance(found, Json):
            return found
        paths = {path: self._within(own) for path, own in found.paths.items()}
        unlisted = "stop" if found.unlisted == "stop" else self._within(found.unlisted) or "stop"
        usable = {path: own for path, own in paths.items() if own is not None}
        return found.model_copy(update={"paths": usable, "unlisted": unlisted})

    def _within(self, rule: AnyRule) -> AnyRule | None:
        """A rule within documents without classes; none for a class of documents, since there are none in there."""
        found = self.rule_of(rule.name) if isinstance(rule, Classified) else rule
        return None if isinstance(found, Json) else found
