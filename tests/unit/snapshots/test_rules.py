"""What rules do to values: the same thing every time, nothing twice where they are injective, the format kept."""

from __future__ import annotations

import itertools
import json
import re
import string
from datetime import date
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dataops.infra.platform.masking import MaskingRule
from dataops.snapshots.masking.base import Family, Masker, UnmaskableError
from dataops.snapshots.masking.choose import describe, masker_for
from dataops.snapshots.masking.permutation import SAMPLE, AlphabetPermutation, IntegerPermutation
from dataops.snapshots.masking.plain import KeepMasker
from dataops.snapshots.masking.texts import one_by_one, permuted, strings

pytestmark = pytest.mark.slow

KEY = bytes(range(32))
ADAPTER: TypeAdapter[Any] = TypeAdapter(MaskingRule)


MADE: dict[tuple[str, Family, bytes], Masker] = {}


def masker(rule: Any, family: Family = Family.TEXT, key: bytes = KEY) -> Masker:
    """The masker of a rule; made once, since shuffling small domains takes a while."""
    known = (repr(rule), family, key)
    if known not in MADE:
        found = masker_for(ADAPTER.validate_python(rule), family, key)
        assert found is not None
        MADE[known] = found
    return MADE[known]


NIST = [
    ("2B7E151628AED2A6ABF7158809CF4F3C", "", "0123456789", "2433477484"),
    ("2B7E151628AED2A6ABF7158809CF4F3C", "39383736353433323130", "0123456789", "6124200773"),
    ("2B7E151628AED2A6ABF7158809CF4F3C", "3737373770717273373737", "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    ("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F", "", "0123456789", "2830668132"),
    ("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F", "39383736353433323130", "0123456789", "2496655549"),
    (
        "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F",
        "3737373770717273373737",
        "0123456789abcdefghi",
        "xbj3kv35jrawxv32ysr",
    ),
    ("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94", "", "0123456789", "6657667009"),
    (
        "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94",
        "39383736353433323130",
        "0123456789",
        "1001623463",
    ),
    (
        "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94",
        "3737373770717273373737",
        "0123456789abcdefghi",
        "xs8a0azh2avyalyzuwd",
    ),
]


@pytest.mark.parametrize(("key", "tweak", "text", "expected"), NIST)
def test_the_ff1_in_use_passes_the_vectors_of_nist(key: str, tweak: str, text: str, expected: str) -> None:
    from fastfpe import ff1

    alphabet = (string.digits + string.ascii_lowercase)[: 10 if len(text) == 10 else 36]
    assert ff1.encrypt(key, tweak, alphabet, text) == expected


@pytest.mark.parametrize(("alphabet", "length"), [("01", 10), (string.digits, 3), ("abc", 1), (string.digits, 5)])
def test_a_domain_too_small_for_ff1_is_shuffled_as_a_whole(alphabet: str, length: int) -> None:
    permutation = AlphabetPermutation(KEY, alphabet)
    domain = ["".join(letters) for letters in itertools.product(alphabet, repeat=length)]
    images = [permutation.apply(text) for text in domain]
    assert sorted(images) == domain
    if len(domain) > 10:
        assert images != domain


@pytest.mark.parametrize("alphabet", ["", "a", "aa", "".join(map(chr, range(0x4E00, 0x4E00 + 257)))])
def test_an_alphabet_that_ff1_cannot_take_is_refused(alphabet: str) -> None:
    with pytest.raises(ValueError, match="2 to 256"):
        AlphabetPermutation(KEY, alphabet)


def test_the_largest_alphabet_works_and_a_text_that_is_too_long_is_refused() -> None:
    permutation = AlphabetPermutation(KEY, "".join(map(chr, range(0x4E00, 0x4E00 + 256))))
    assert len(permutation.apply("\u4e00" * 3)) == 3
    with pytest.raises(UnmaskableError, match="4096"):
        permutation.apply("\u4e00" * 4097)


@given(st.sets(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-70000, 70000), min_size=2))
def test_whole_numbers_stay_different_and_within_their_width(numbers: set[int]) -> None:
    permutation = IntegerPermutation(KEY)
    images = {number: permutation.apply(number) for number in numbers}
    assert len(set(images.values())) == len(numbers)
    for number, image in images.items():
        assert (-(1 << 31) <= number < 1 << 31) == (-(1 << 31) <= image < 1 << 31)
        assert -(1 << 63) <= image < 1 << 63


def test_a_whole_number_beyond_eight_bytes_is_refused() -> None:
    with pytest.raises(UnmaskableError):
        IntegerPermutation(KEY).apply(1 << 63)


INJECTIVE: list[tuple[Any, st.SearchStrategy[str]]] = [
    ("hash", st.text()),
    ("email", st.text() | st.emails() | st.from_regex(r"[a-cA-C.]{1,4}@[a-cA-C.]{1,4}", fullmatch=True)),
    ("phone", st.text(st.sampled_from("0123456789+- ()x")) | st.from_regex(r"\+?[0-9 -]{1,16}", fullmatch=True)),
    ("digits", st.text(st.sampled_from("0123456789-/AB")) | st.text(st.characters(exclude_categories=["Nd"]))),
    ({"rule": "fpe", "alphabet": "upper_digits"}, st.text(st.sampled_from(string.ascii_uppercase + "0123456789-"))),
    ({"rule": "fpe", "alphabet": "абвгд"}, st.text(st.sampled_from("абвгд-"))),
    ("keep", st.text()),
    (
        "card",
        st.from_regex(r"[0-9 -]{0,3}4[0-9]{11,15}[0-9a-c]?", fullmatch=True) | st.text(st.sampled_from("0459 -x")),
    ),
    ("iban", st.from_regex(r"[DG][EB][0-9]{2}[A-C0-9 ]{11,20}", fullmatch=True) | st.text(st.sampled_from("DE09 x"))),
    ("uuid", st.uuids().map(str) | st.uuids().map(lambda u: str(u).upper()) | st.text(st.sampled_from("0aF-"))),
    ({"rule": "national_id", "kind": "es_dni"}, st.from_regex(r"[XYZ]?[0-9]{7,8}-?[A-Z]", fullmatch=True)),
    ({"rule": "national_id", "kind": "nl_bsn"}, st.from_regex(r"[0-9]{8,9}", fullmatch=True)),
    ({"rule": "national_id", "kind": "us_ssn"}, st.from_regex(r"[069][0-9]{2}-?[0-9]{2}-?0[0-9]{3}", fullmatch=True)),
    ({"rule": "national_id", "kind": "gb_nino"}, st.from_regex(r"[A-Z]{2}[0-9]{6}[A-E]", fullmatch=True)),
]


@pytest.mark.parametrize(("rule", "values"), INJECTIVE, ids=[str(rule) for rule, _ in INJECTIVE])
def test_an_injective_rule_keeps_different_values_different(rule: Any, values: st.SearchStrategy[str]) -> None:
    own = masker(rule)
    assert ADAPTER.validate_python(rule).injective
    assert own.injective

    @settings(deadline=None)
    @given(st.sets(values, min_size=2, max_size=30))
    def check(some: set[str]) -> None:
        masked = own.mask_all(some)
        assert len(set(masked.values())) == len(some)

    check()


@given(st.sets(st.emails(), min_size=2))
@settings(deadline=None)
def test_addresses_that_differ_without_regard_to_case_still_do(addresses: set[str]) -> None:
    folded = {address.lower() for address in addresses}
    masked = {(masker("email").mask(address) or "").lower() for address in addresses}
    assert len(masked) == len(folded)


@given(st.text())
@settings(deadline=None)
def test_an_email_stays_an_address_below_its_domain(value: str) -> None:
    masked = masker("email").mask(value)
    assert masked is not None
    assert masked == "" if not value else re.fullmatch(r"[ -~]+@([ -~]+\.)?example\.com", masked)


def test_the_same_value_is_always_masked_the_same_and_another_key_gives_another() -> None:
    for rule in ("hash", "email", "phone", "digits", "fpe", "name"):
        value = "ADA77" if rule == "fpe" else "ada7788@x.org" if rule != "phone" else "+49 30 1234567"
        again = masker_for(ADAPTER.validate_python(rule), Family.TEXT, KEY)
        assert again is not None
        assert masker(rule).mask(value) == again.mask(value) != value
        assert masker(rule).mask(value) != masker(rule, key=bytes(32)).mask(value)


def test_rules_with_different_options_do_not_share_a_key() -> None:
    assert masker("digits").mask("12345678") != masker({"rule": "fpe", "alphabet": "digits"}).mask("12345678")
    assert describe(ADAPTER.validate_python("fpe")) == describe(
        ADAPTER.validate_python({"rule": "fpe", "alphabet": "upper_digits"})
    )


LENGTHS = [
    (string.digits, 7),
    (string.digits, 18),
    (string.digits, 34),
    ("01", 63),
    ("01", 117),
    ("abc", 20),
    ("abc", 75),
    ("0123456789abcdef", 30),
    (string.ascii_lowercase, 13),
    (string.ascii_lowercase, 17),
    (string.ascii_lowercase, 24),
    (string.ascii_uppercase + string.digits, 22),
    ("".join(map(chr, range(128))), 16),
]


@pytest.mark.parametrize(("alphabet", "length"), LENGTHS)
def test_many_texts_at_once_are_encrypted_as_each_by_itself(alphabet: str, length: int) -> None:
    permutation = AlphabetPermutation(KEY, alphabet)

    @settings(deadline=None, max_examples=20)
    @given(st.lists(st.text(st.sampled_from(alphabet), min_size=length, max_size=length), min_size=20, max_size=40))
    def check(texts: list[str]) -> None:
        assert permutation.apply_all(texts) == [permutation.apply(text) for text in texts]

    check()


@pytest.mark.parametrize(("alphabet", "length"), [("01", 23), (string.digits, 7), (string.digits, 8), ("abcdef", 11)])
def test_texts_of_a_length_that_many_have_are_encrypted_as_the_first_of_them(alphabet: str, length: int) -> None:
    permutation, random = AlphabetPermutation(KEY, alphabet), Random(length)
    many = ["".join(random.choices(alphabet, k=length)) for _ in range(3 * len(alphabet) ** ((length + 1) // 2) // 4)]
    images = [permutation.apply_all(some) for some in (many[:20], many, many[:20])]
    assert images == [list(map(permutation.apply, some)) for some in (many[:20], many, many[:20])]


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-70000, 70000), min_size=20, max_size=40))
@settings(deadline=None, max_examples=30)
def test_many_numbers_at_once_are_permuted_as_each_by_itself(numbers: list[int]) -> None:
    permutation = IntegerPermutation(KEY)
    images = permutation.apply_column(pa.array(numbers, pa.int64())).to_pylist()
    assert images == [permutation.apply(number) for number in numbers]


@given(st.lists(st.text(st.sampled_from(string.ascii_lowercase), max_size=30), min_size=40, max_size=200))
@settings(deadline=None, max_examples=30)
def test_texts_of_any_lengths_are_encrypted_together_as_each_by_itself(texts: list[str]) -> None:
    permutation = AlphabetPermutation(KEY, string.ascii_lowercase)
    assert permutation.apply_all(texts) == [permutation.apply(text) for text in texts]


@given(st.lists(st.text(st.sampled_from(string.ascii_lowercase), max_size=12), min_size=1, max_size=60))
@settings(deadline=None, max_examples=10)
def test_texts_that_repeat_are_encrypted_as_each_by_itself(texts: list[str]) -> None:
    permutation, times = AlphabetPermutation(KEY, string.ascii_lowercase), 1 + SAMPLE // len(texts)
    assert permutation.apply_all(texts * times) == [permutation.apply(text) for text in texts] * times


@given(st.lists(st.text(st.sampled_from("aB9é中 -@.\0")), min_size=1, max_size=60))
@settings(deadline=None, max_examples=100)
def test_characters_are_replaced_together_as_in_each_text(texts: list[str]) -> None:
    column = strings(["x", *texts]).slice(1)
    turned = permuted(column, b"aB9", one_by_one(lambda text: text[::-1])).to_pylist()
    for text, new in zip(texts, turned, strict=True):
        own = iter([c for c in text if c in "aB9"][::-1])
        assert new == "".join(next(own) if c in "aB9" else c for c in text)


DATES = st.just("infinity") | st.builds(
    "{}{}".format,
    st.dates(date(1, 1, 1), date(9999, 12, 31)).map(date.isoformat) | st.sampled_from(["0001-01-01", "9999-12-31"]),
    st.sampled_from(["", " 10:00:00", "T10:00:00.5Z", " 10:00:00+02", " B"]),
)


@given(st.lists(st.tuples(DATES, st.sampled_from([None, "1", "1 ", "22", "x"])), min_size=1, max_size=60, unique=True))
@settings(deadline=None, max_examples=100)
def test_dates_are_moved_together_as_each_by_itself_and_come_back_within_the_calendar(rows: list[Any]) -> None:
    own = masker({"rule": "date_shift", "days": 400, "by": "who"}, Family.DATE)
    for (value, who), moved in own.mask_rows(rows).items():
        assert moved == own.mask_beside(value or "", (who,))
        if value == "infinity":
            assert moved == value
        else:
            assert moved is not None
            assert value is not None
            assert moved[10:] == value[10:]
            assert 1 <= abs((date.fromisoformat(moved[:10]) - date.fromisoformat(value[:10])).days) <= 400


def test_half_a_character_of_a_document_is_masked_or_stays_as_the_rule_says() -> None:
    document = json.dumps({"a": "\ud800 7", "b": "\ud800"})
    rule = {"rule": "json", "paths": {"a": "digits", "b": "text"}}
    found = json.loads(masker(rule, Family.JSON).mask(document) or "")
    assert found == {"a": masker("digits").mask("\ud800 7"), "b": "[redacted]"}
    assert found["a"][:2] == "\ud800 "


@given(st.text() | st.emails().map("see {} today".format) | st.from_regex(r"[a-z ]{3}\+?[0-9 -]{7,14}", fullmatch=True))
@settings(deadline=None)
def test_no_digit_and_no_address_is_left_in_redacted_text(text: str) -> None:
    redacted = masker("redact").mask(text) or ""
    assert not re.search(r"\d", redacted)
    assert not re.search(r"[a-z]@[a-z]", redacted)


@given(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(1, 10**6))
@settings(deadline=None)
def test_a_range_has_its_numbers_and_fits_where_they_did(number: int, width: int) -> None:
    lower = int(masker({"rule": "generalise", "width": width}, Family.INTEGER).mask(str(number)) or "")
    assert abs(number) - width < abs(lower) <= abs(number)
    assert lower % width == 0


@given(st.text(st.sampled_from(string.ascii_uppercase + string.digits + " -/.")))
@settings(deadline=None)
def test_fpe_keeps_length_alphabet_and_punctuation(value: str) -> None:
    masked = masker("fpe").mask(value)
    assert masked is not None
    assert [c if c in " -/." else "#" for c in masked] == [c if c in " -/." else "#" for c in value]


def test_fpe_refuses_what_its_alphabet_does_not_name_rather_than_let_it_through() -> None:
    for value in ("AB12c", "é", "\u0661\u0662", "AB\u2013C"):
        with pytest.raises(UnmaskableError, match="outside the alphabet"):
            masker("fpe").mask(value)


def test_digits_leaves_all_else_but_refuses_digits_of_other_scripts() -> None:
    assert re.fullmatch(r"Order [0-9]{6}/é", masker("digits").mask("Order 123456/é") or "")
    with pytest.raises(UnmaskableError):
        masker("digits").mask("\u0661\u0662")


def test_a_telephone_number_keeps_its_country_code_and_punctuation() -> None:
    masked = masker("phone").mask("+49 (030) 901820-17")
    assert re.fullmatch(r"\+49 \([0-9]{3}\) [0-9]{6}-[0-9]{2}", masked or "")
    assert masked != "+49 (030) 901820-17"
    assert "bob" not in (masker("phone").mask("0301234567 bob") or "")


@given(st.dates(), st.integers(1, 3650))
@settings(deadline=None)
def test_a_date_moves_by_at_least_a_day_and_no_further_than_asked(day: date, days: int) -> None:
    moved = masker({"rule": "date_shift", "days": days}, Family.DATE).mask(day.isoformat())
    assert 1 <= abs((date.fromisoformat(moved or "") - day).days) <= days


def test_a_time_moves_with_its_date_and_infinity_stays() -> None:
    shift = masker({"rule": "date_shift", "days": 30}, Family.DATE)
    day = shift.mask("1980-02-29") or ""
    assert shift.mask("1980-02-29 11:12:13.5+00") == f"{day} 11:12:13.5+00"
    assert shift.mask("-infinity") == "-infinity"
    for value in ("0044-03-15 BC", "10000-01-01", "0044-03-15 00:00:00 BC"):
        with pytest.raises(UnmaskableError):
            shift.mask(value)


def test_names_come_from_the_dictionary_and_have_the_part_asked_for() -> None:
    assert re.fullmatch(r"\w+ \w+", masker("name").mask("Ada Lovelace") or "")
    assert re.fullmatch(r"\w+", masker({"rule": "name", "part": "last"}).mask("Lovelace") or "")
    assert masker("name").mask("Ada Lovelace ") == masker("name").mask("Ada Lovelace")
    assert masker("name").mask("") == ""


def test_rules_without_a_key() -> None:
    assert masker("keep").mask("x") == "x"
    assert masker("null").mask("x") is None
    assert masker({"rule": "constant", "value": True}, Family.OTHER).mask("f") == "true"
    assert masker("text").mask("anything") == "[redacted]"
    assert masker("text").mask("") == ""


def test_a_rule_is_not_offered_for_types_it_cannot_serve() -> None:
    unfit = {
        "hash": (Family.INTEGER, Family.UUID, Family.DATE, Family.OTHER),
        "email": (Family.INTEGER, Family.OTHER),
        "digits": (Family.SMALLINT, Family.NUMBER, Family.DATE, Family.UUID),
        "fpe": (Family.INTEGER, Family.UUID, Family.NUMBER),
        "name": (Family.OTHER,),
    }
    for rule, families in unfit.items():
        for family in families:
            assert masker_for(ADAPTER.validate_python(rule), family, KEY) is None, (rule, family)
    assert masker_for(ADAPTER.validate_python({"rule": "date_shift", "days": 1}), Family.TEXT, KEY) is None
    assert isinstance(masker("keep", Family.OTHER), KeepMasker)


def test_a_uuid_stays_a_uuid() -> None:
    hexadecimal = masker({"rule": "fpe", "alphabet": "hex"}, Family.UUID)
    masked = hexadecimal.mask("c81e728d-9d4c-2f63-6f06-7f89cc14862c")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", masked or "")
