"""From the rules of `dataops.yaml` to maskers."""

from __future__ import annotations

from typing import Any

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform import masking as policy
from dataops.infra.platform import masking_rules as rules
from dataops.snapshots.masking.base import Family, Masker, derive_key
from dataops.snapshots.masking.checked import CheckedMasker
from dataops.snapshots.masking.encrypted import (
    DIGITS,
    HEX,
    EmailMasker,
    FpeMasker,
    IntegerMasker,
    PhoneMasker,
    UuidMasker,
)
from dataops.snapshots.masking.generalised import PeriodMasker, PrefixMasker, RangeMasker
from dataops.snapshots.masking.hashed import DateShiftMasker, HashMasker
from dataops.snapshots.masking.json_paths import JsonMasker, PathMasker
from dataops.snapshots.masking.plain import ConstantMasker, KeepMasker, NullMasker, ReplaceMasker
from dataops.snapshots.masking.redacted import RedactMasker
from dataops.snapshots.masking.words import AddressMasker, CompanyMasker, DictionaryMasker, NameMasker


def describe(rule: rules.Rule) -> str:
    """A rule with its options, as `fpe(alphabet=upper_digits)`; equal for rules that do the same."""
    given = rule.model_dump(exclude_none=True)
    options = ", ".join(f"{name}={_plain(given[name])}" for name in sorted(given) if name != "rule")
    name = str(given["rule"])
    return f"{name}({options})" if options else name


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_plain(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return str(value)


def masker_for(rule: rules.Rule, family: Family, key: bytes) -> Masker | None:
    """The masker that a rule means for a type, under the platform's masking key; None when it cannot serve the type.

    Raises:
        ConfigurationError: a rule that a package brings cannot be used.
    """
    if isinstance(rule, policy.Json):
        masker: Masker = _documents(rule, key)
    elif isinstance(rule, rules.Custom):
        masker = _brought(rule, key)
    else:
        # a person is moved alike in every table, whatever its column is called there
        said = describe(rule.model_copy(update={"by": None}) if isinstance(rule, rules.DateShift) else rule)
        masker = _make(rule, family, derive_key(key, said))
    return masker if family in masker.families else None


def _make(rule: rules.Rule, family: Family, key: bytes) -> Masker:
    match rule:
        case rules.Keep():
            return KeepMasker()
        case rules.Null():
            return NullMasker()
        case rules.Constant():
            return ConstantMasker(rule.value)
        case rules.RedactedText():
            return ReplaceMasker(rule.replacement)
        case rules.Redact():
            return RedactMasker()
        case rules.Hash():
            return HashMasker(key)
        case rules.PersonName():
            return NameMasker(key, rule.part)
        case rules.Company():
            return CompanyMasker(key)
        case rules.Address():
            return AddressMasker(key, rule.part)
        case rules.Dictionary():
            return DictionaryMasker(key, rule.words)
        case rules.DateShift():
            return DateShiftMasker(key, rule.days)
        case rules.Generalise():
            return _generalised(rule, family)
        case _:
            return _encrypted(rule, family, key)


def _encrypted(rule: rules.Rule, family: Family, key: bytes) -> Masker:
    match rule:
        case rules.Email():
            return EmailMasker(key, rule.domain)
        case rules.Phone():
            return PhoneMasker(key)
        case rules.Card():
            return CheckedMasker(key, "card")
        case rules.Iban():
            return CheckedMasker(key, "iban")
        case rules.NationalId():
            return CheckedMasker(key, rule.kind)
        case rules.Uuid():
            return UuidMasker(key)
        case rules.Digits():
            return IntegerMasker(key) if family is Family.INTEGER else _TextDigits(key)
        case rules.Fpe():
            if family is Family.INTEGER and rule.characters == DIGITS:
                return IntegerMasker(key)
            if family is Family.UUID and frozenset(rule.characters) != frozenset(HEX):
                return _Nowhere()
            return FpeMasker(key, rule.characters)
    raise TypeError(f"{rule.__class__.__name__} has no masker")


def _generalised(rule: rules.Generalise, family: Family) -> Masker:
    if rule.to is not None:
        return PeriodMasker(rule.to)
    if rule.prefix is not None:
        return PrefixMasker(rule.prefix)
    if rule.width is None or (family in (Family.INTEGER, Family.SMALLINT) and rule.width % 1):
        return _Nowhere()
    return RangeMasker(rule.width)


def _documents(rule: policy.Json, key: bytes) -> Masker:
    def at_work(own: rules.Rule) -> PathMasker:
        maskers = {family: masker_for(own, family, key) for family in Family}
        return PathMasker(own, {family: masker for family, masker in maskers.items() if masker is not None})

    unlisted = None if rule.unlisted == "stop" else at_work(rule.unlisted)
    keys = masker_for(rules.Hash(rule="hash") if rule.keys == "hash" else rules.Keep(rule="keep"), Family.TEXT, key)
    return JsonMasker({path: at_work(own) for path, own in rule.paths.items()}, unlisted, keys or KeepMasker())


def _brought(rule: rules.Custom, key: bytes) -> Masker:
    options = dict(rule.__pydantic_extra__ or {})
    try:
        kind = rules.brought()[rule.rule].load()
        masker = kind(derive_key(key, describe(rule)), **options)
    except Exception as error:  # whatever a package that is not ours does
        said = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"the rule `{rule.rule}` cannot be used", details=said) from None
    if not isinstance(masker, Masker):
        raise ConfigurationError(
            f"the rule `{rule.rule}` is no masker",
            hint="its entry point must name a subclass of dataops.snapshots.masking.base.Masker",
        )
    return masker


class _TextDigits(FpeMasker):
    """Digits of a text that may have anything else beside them."""

    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes) -> None:
        super().__init__(key, DIGITS, tolerant=True)


class _Nowhere(Masker):
    """Serves no type."""

    families = frozenset()
