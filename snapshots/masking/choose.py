"""From the rules of `dataops.yaml` to maskers."""

from __future__ import annotations

from dataops.infra.platform import masking as rules
from dataops.snapshots.masking.base import Family, Masker, derive_key
from dataops.snapshots.masking.encrypted import DIGITS, EmailMasker, FpeMasker, IntegerMasker, PhoneMasker
from dataops.snapshots.masking.hashed import DateShiftMasker, HashMasker, NameMasker
from dataops.snapshots.masking.plain import ConstantMasker, KeepMasker, NullMasker, RedactMasker

_NUMBERS = frozenset("0123456789abcdef")


def describe(rule: rules.AnyRule) -> str:
    """A rule with its options, as `fpe(alphabet=upper_digits)`; equal for rules that do the same."""
    options = ", ".join(f"{name}={value}" for name, value in sorted(rule.model_dump().items()) if name != "rule")
    return f"{rule.rule}({options})" if options else rule.rule


def masker_for(rule: rules.AnyRule, family: Family, key: bytes) -> Masker | None:
    """The masker that a rule means for a type, under the platform's masking key; None when it cannot serve the type."""
    masker = _make(rule, family, derive_key(key, describe(rule)))
    return masker if family in masker.families else None


def _make(rule: rules.AnyRule, family: Family, key: bytes) -> Masker:
    match rule:
        case rules.Keep():
            return KeepMasker()
        case rules.Null():
            return NullMasker()
        case rules.Constant():
            return ConstantMasker(rule.value)
        case rules.RedactedText():
            return RedactMasker(rule.replacement)
        case rules.Hash():
            return HashMasker(key)
        case rules.PersonName():
            return NameMasker(key, rule.part)
        case rules.DateShift():
            return DateShiftMasker(key, rule.days)
        case rules.Email():
            return EmailMasker(key, rule.domain)
        case rules.Phone():
            return PhoneMasker(key)
        case rules.Digits():
            return IntegerMasker(key) if family is Family.INTEGER else _TextDigits(key)
        case rules.Fpe():
            if family is Family.INTEGER and rule.characters == DIGITS:
                return IntegerMasker(key)
            if family is Family.UUID and frozenset(rule.characters) != _NUMBERS:
                return _Nowhere()
            return FpeMasker(key, rule.characters)


class _TextDigits(FpeMasker):
    """Digits of a text that may have anything else beside them."""

    families = frozenset({Family.TEXT})

    def __init__(self, key: bytes) -> None:
        super().__init__(key, DIGITS, tolerant=True)


class _Nowhere(Masker):
    """Serves no type."""

    families = frozenset()
