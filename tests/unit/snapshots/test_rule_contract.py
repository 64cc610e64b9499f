"""What every masking rule promises, tried on each of them with values that its type can have."""

from __future__ import annotations

import pickle
import random
import re
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from dataops.infra.platform.masking import RULES, MaskingRule, name_of
from dataops.snapshots.columns import ColumnMasking
from dataops.snapshots.masking.base import Family, Masker
from dataops.snapshots.masking.checked import CARD, IBAN, NATIONAL, Scheme, is_valid
from dataops.snapshots.masking.choose import describe, masker_for
from dataops.snapshots.memory import Memory
from dataops.snapshots.parquet import _mask as mask_array
from dataops.snapshots.plans import MaskedField
from dataops.snapshots.rows import escape, mask_rows

pytestmark = pytest.mark.slow

KEY, OTHER = bytes(range(32)), bytes(32)
COUNT = 300
ADAPTER: TypeAdapter[Any] = TypeAdapter(MaskingRule)
Make = Callable[[random.Random, int], str]


def phrase(rng: random.Random, number: int) -> str:
    return "".join(rng.choices(string.ascii_letters + " äß中", k=rng.randrange(6, 20))) + str(number)


def number_of(scheme: Scheme, pattern: str) -> Make:
    """Numbers of a scheme, right ones and wrong ones: `0` stands for a digit, `A` for a letter."""

    def make(rng: random.Random, number: int) -> str:
        while True:
            text = "".join(
                str(rng.randrange(10)) if c == "0" else rng.choice(string.ascii_uppercase) if c == "A" else c
                for c in pattern
            )
            match = scheme.form.fullmatch(re.sub(r"[ ./-]", "", text))
            if match is None or scheme.check(match["kept"], match["body"]) is None:
                continue
            if number % 5 == 0 or is_valid(scheme, text):
                return text
            if (check := scheme.check(match["kept"], match["body"])) is not None and " " not in text:
                plain = re.sub(r"[ ./-]", "", text)
                return plain[: match.start("check")] + scheme.symbols[check] + plain[match.end("check") :]

    return make


def day(rng: random.Random, number: int) -> str:
    return (date(1930, 1, 1) + timedelta(number * 29 + rng.randrange(29))).isoformat()


@dataclass(frozen=True)
class Case:
    """A rule, the type that it is tried on, values of it, and what every mask looks like.

    Args:
        keyed: whether the mask depends on the key.
        hides: whether nothing of the value may be recognised in its mask.
    """

    rule: Any
    make: Make
    form: str
    family: Family = Family.TEXT
    keyed: bool = True
    hides: bool = True


def case(rule: Any, make: Make, form: str, **more: Any) -> Case:
    return Case(rule, make, form, **more)


INTEGER = Family.INTEGER
CASES = [
    case("keep", phrase, r".*", keyed=False, hides=False),
    case("null", phrase, r"never", keyed=False),
    case({"rule": "constant", "value": "x"}, phrase, "x", keyed=False),
    case("hash", phrase, r"[0-9a-f]{64}"),
    case("digits", lambda r, n: str(r.randrange(-(1 << 62), 1 << 62)), r"-?\d+", family=INTEGER),
    case("digits", lambda r, n: f"A-{r.randrange(10**9):09}", r"A-\d{9}"),
    case("fpe", lambda r, n: f"QZ{n:07}", r"[A-Z0-9]{9}"),
    case({"rule": "fpe", "alphabet": "hex"}, lambda r, n: str(uuid.UUID(int=r.getrandbits(128))), r"[0-9a-f-]{36}",
         family=Family.UUID),
    case("name", phrase, r"\w+ \w+"),
    case("company", phrase, r"\w+( and \w+| & Sons| \w+)"),
    case("address", phrase, r"\d+ \w+ \w+, \d{5} \w+"),
    case({"rule": "address", "part": "postcode"}, phrase, r"\d{5}"),
    case({"rule": "dictionary", "words": ["red", "green", "blue"]}, phrase, r"red|green|blue"),
    case("email", lambda r, n: f"canary.mail{n}@Host{n % 7}.secret.net", r"[\w.]+@[\w.]+\.example\.com"),
    case("phone", lambda r, n: f"+49 (030) {r.randrange(10**8):08}-{n}", r"\+49 \(\d{3}\) \d{8}-\d+"),
    case("card", number_of(CARD, "4000 0000 0000 0000"), r"4\d{3}( \d{4}){3}"),
    case("card", number_of(CARD, "5000000000000000"), r"5\d{15}"),
    case("iban", number_of(IBAN, "DE00500105170000000000"), r"DE\d{20}"),
    case({"rule": "national_id", "kind": "br_cpf"}, number_of(NATIONAL["br_cpf"], "000.000.000-00"), r"[\d.-]+"),
    case({"rule": "national_id", "kind": "ca_sin"}, number_of(NATIONAL["ca_sin"], "000000000"), r"\d{9}"),
    case({"rule": "national_id", "kind": "es_dni"}, number_of(NATIONAL["es_dni"], "00000000A"), r"\d{8}[A-Z]"),
    case({"rule": "national_id", "kind": "fr_nir"}, number_of(NATIONAL["fr_nir"], "1000000000000 00"), r"1[\d ]+"),
    case({"rule": "national_id", "kind": "gb_nino"}, number_of(NATIONAL["gb_nino"], "AA000000A"), r"\w{2}\d{6}[A-D]"),
    case({"rule": "national_id", "kind": "nl_bsn"}, number_of(NATIONAL["nl_bsn"], "000000000"), r"\d{9}"),
    case({"rule": "national_id", "kind": "us_ssn"}, number_of(NATIONAL["us_ssn"], "000-00-0000"), r"[\d-]+"),
    case("uuid", lambda r, n: str(uuid.UUID(int=r.getrandbits(128), version=4)), r"[0-9a-f]{8}-.{4}-4.{3}-[89ab].{16}",
         family=Family.UUID),
    case({"rule": "date_shift", "days": 90}, day, r"\d{4}-\d\d-\d\d", family=Family.DATE),
    case({"rule": "generalise", "to": "year"}, day, r"\d{4}-01-01", family=Family.DATE, keyed=False, hides=False),
    case({"rule": "generalise", "prefix": 2}, lambda r, n: f"SW1A {n:03}B", r"SW0X 000X", keyed=False, hides=False),
    case({"rule": "generalise", "width": 50}, lambda r, n: str(n), r"\d*0",
         family=INTEGER, keyed=False, hides=False),
    case("text", phrase, r"\[redacted\]", keyed=False),
    case("redact", lambda r, n: f"canary{n}@host.example.net or +49 30 {n:07}", r"\[email\] or \[phone\]", keyed=False),
    case({"rule": "json", "paths": {"who.mail": "email", "tags[]": "hash", "by.*": "digits"}},
         lambda r, n: f'{{"who": {{"mail": "canary{n}@x.org"}}, "tags": ["canary{n}"], "by": {{"canary{n}": {n}}}}}',
         r'\{"who": \{"mail": "[^"]+"\}, "tags": \["[0-9a-f]{64}"\], "by": \{"[0-9a-f]{64}": \d+\}\}',
         family=Family.JSON),
]  # fmt: skip
IDS = [f"{i}-{describe(ADAPTER.validate_python(c.rule))[:40]}" for i, c in enumerate(CASES)]
each_rule = pytest.mark.parametrize("tried", CASES, ids=IDS)


def values_of(tried: Case) -> list[str]:
    rng = random.Random(7)
    return list(dict.fromkeys(tried.make(rng, number) for number in range(COUNT)))


@cache
def _made(number: int, key: bytes) -> Masker:
    """Made once, since shuffling small domains takes a while."""
    return new_masker(CASES[number], key)


def masker(tried: Case, key: bytes = KEY) -> Masker:
    return _made(CASES.index(tried), key)


def new_masker(tried: Case, key: bytes = KEY) -> Masker:
    found = masker_for(ADAPTER.validate_python(tried.rule), tried.family, key)
    assert found is not None
    return found


def field_of(tried: Case) -> MaskedField:
    rule = ADAPTER.validate_python(tried.rule)
    return MaskedField(0, "raw.t.c", describe(rule), tried.family, masker(tried))


def test_every_rule_is_tried() -> None:
    assert {name_of(kind) for kind in RULES} == {ADAPTER.validate_python(c.rule).word for c in CASES}


@each_rule
def test_it_is_deterministic_under_a_key_and_another_key_gives_other_masks(tried: Case) -> None:
    values = values_of(tried)
    masks = masker(tried).mask_all(values)
    assert masks == new_masker(tried).mask_all(values)
    others = masker(tried, OTHER).mask_all(values)
    equal = sum(masks[value] == others[value] for value in values)
    if not tried.keyed:
        assert equal == len(values)
    elif "words" not in str(tried.rule):
        assert equal < len(values) / 20


@each_rule
def test_it_can_be_sent_to_the_processes_that_mask(tried: Case) -> None:
    values = values_of(tried)[:40]
    assert pickle.loads(pickle.dumps(masker(tried))).mask_all(values) == masker(tried).mask_all(values)


@each_rule
def test_a_column_is_masked_as_its_values_are_one_by_one(tried: Case) -> None:
    values, own = values_of(tried), masker(tried)
    assert own.mask_all(values) == {value: own.mask(value) for value in values}


@each_rule
def test_rows_and_arrow_columns_are_masked_alike_and_null_stays_null(tried: Case) -> None:
    some = values_of(tried)[:100]
    values = [None if number % 4 == 0 else some[number % 50] for number in range(200)]
    expected = [None if value is None else masker(tried).mask(value) for value in values]
    rows = "".join(f"{escape(value)}\n" for value in values).encode()
    column = ColumnMasking(field_of(tried), Memory())
    assert bytes(mask_rows(rows, 1, [column])[1]).decode() == "".join(f"{escape(mask)}\n" for mask in expected)
    if tried.family is Family.TEXT:
        again = ColumnMasking(field_of(tried), Memory())
        assert mask_array(pa.array(values, pa.string()), [], again).to_pylist() == expected
        assert again.changed == column.changed


@each_rule
def test_it_says_truly_whether_different_values_stay_different(tried: Case) -> None:
    rule, own = ADAPTER.validate_python(tried.rule), masker(tried)
    assert own.injective == rule.injective
    values = values_of(tried)
    if own.injective:
        assert len(set(own.mask_all(values).values())) == len(values)


@each_rule
def test_type_and_format_are_kept_and_nothing_of_the_value_is_recognisable(tried: Case) -> None:
    for value, mask in masker(tried).mask_all(values_of(tried)).items():
        if mask is None:
            assert tried.rule == "null"
            continue
        assert re.fullmatch(tried.form, mask, re.DOTALL), tried.rule
        if tried.hides:
            assert value != mask
            assert "canary" not in mask.lower()
            runs = set(re.findall(r"\d{6,}|[a-zA-Z]{6,}", value))
            assert not [run for run in runs if run in mask]


SCHEMES = [("card", CARD), ("iban", IBAN), *(({"rule": "national_id", "kind": k}, s) for k, s in NATIONAL.items())]


@pytest.mark.parametrize(("rule", "scheme"), SCHEMES, ids=[str(rule) for rule, _ in SCHEMES])
def test_a_number_with_a_valid_check_digit_gets_one_and_one_without_does_not(rule: Any, scheme: Scheme) -> None:
    tried = next(c for c in CASES if c.rule == rule)
    values = values_of(tried)
    for value, mask in masker(tried).mask_all(values).items():
        assert mask is not None
        assert is_valid(scheme, value) == is_valid(scheme, mask)
    assert any(is_valid(scheme, value) for value in values)


def test_check_digits_are_those_of_known_valid_numbers() -> None:
    assert is_valid(CARD, "4111 1111 1111 1111")
    assert is_valid(CARD, "378282246310005")
    assert not is_valid(CARD, "4111111111111112")
    assert is_valid(IBAN, "DE89 3704 0044 0532 0130 00")
    assert is_valid(IBAN, "GB82 WEST 1234 5698 7654 32")
    known = {"br_cpf": "111.444.777-35", "ca_sin": "046 454 286", "es_dni": "12345678Z", "nl_bsn": "111222333"}
    known |= {"us_ssn": "078-05-1120", "gb_nino": "AB123456C", "fr_nir": "1 84 12 76 451 089 46"}
    for kind, number in known.items():
        assert is_valid(NATIONAL[kind], number), kind
    assert is_valid(NATIONAL["es_dni"], "X1234567L")


@each_rule
def test_what_is_not_of_the_expected_form_is_masked_or_refused_and_never_let_through(tried: Case) -> None:
    from dataops.snapshots.masking.base import UnmaskableError

    if tried.family is not Family.TEXT or not tried.hides or tried.rule in ("redact",):
        return
    own = masker(tried)
    for value in ("canary canary", "12canary 345678", "+canary@", "é canary", "1234567x", "0" * 40):
        try:
            mask = own.mask(value)
        except UnmaskableError as error:
            assert "canary" not in str(error)
            continue
        if tried.rule != "digits" and mask:
            assert "canary" not in mask
            assert mask != value
