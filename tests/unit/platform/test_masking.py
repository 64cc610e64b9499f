"""Masking rules as the platform file writes them."""

from __future__ import annotations

from dataops.infra.platform.masking import RULES, Json, Masking
from dataops.infra.platform.masking_rules import ALPHABETS, Email, Fpe, Keep, Null, PersonName, RedactedText


def masking(tables: dict[str, object], lake: dict[str, object] | None = None) -> Masking:
    return Masking.model_validate({"tables": tables, "lake": lake or {}})


def test_a_bare_word_is_a_rule_without_options() -> None:
    rules = masking({"raw.a": {"x": "keep", "y": {"rule": "text", "replacement": "-"}}}).table_rules("raw.a")
    assert rules == {"x": Keep(rule="keep"), "y": RedactedText(rule="text", replacement="-")}


def test_a_rule_that_yaml_reads_as_null_is_the_rule_null() -> None:
    assert masking({"raw.a": {"x": None}}).table_rules("raw.a") == {"x": Null(rule="null")}


def test_columns_may_be_kept_in_one_list() -> None:
    rules = masking({"raw.a": {"keep": ["x", "y"], "z": "name"}}).table_rules("raw.a")
    assert rules == {"x": Keep(rule="keep"), "y": Keep(rule="keep"), "z": PersonName(rule="name")}


def test_a_file_follows_the_rules_of_a_table_and_may_differ_in_a_column() -> None:
    found = masking({"raw.a": {"keep": ["x"], "z": "name"}}, {"raw/a.csv": {"like": "raw.a", "z": "text"}})
    assert found.object_rules("raw/a.csv") == {"x": Keep(rule="keep"), "z": RedactedText(rule="text")}


def test_a_table_that_is_not_named_has_no_rules() -> None:
    assert masking({}).table_rules("raw.a") is None
    assert masking({}).object_rules("raw/a.csv") is None


def test_every_rule_says_whether_it_keeps_different_values_different() -> None:
    by_name = {rule.model_fields["rule"].annotation.__args__[0]: rule.injective for rule in RULES}  # type: ignore[union-attr]
    assert {name for name, injective in by_name.items() if injective} == {
        "keep",
        "hash",
        "digits",
        "fpe",
        "email",
        "phone",
        "card",
        "iban",
        "national_id",
        "uuid",
    }


def test_an_alphabet_may_be_named_or_spelt_out() -> None:
    assert Fpe(rule="fpe", alphabet="digits").characters == ALPHABETS["digits"]
    assert Fpe(rule="fpe", alphabet="ABC").characters == "ABC"


def test_a_class_of_data_stands_for_a_rule_and_a_platform_may_say_another() -> None:
    rules = masking({"raw.a": {"x": {"class": "person_name"}, "y": {"class": "email"}}})
    assert rules.table_rules("raw.a") == {"x": PersonName(rule="name"), "y": Email(rule="email")}
    own = rules.model_copy(update={"classes": {"email": Null(rule="null")}})
    assert own.table_rules("raw.a") == {"x": PersonName(rule="name"), "y": Null(rule="null")}


def test_a_data_product_says_what_its_columns_hold_and_a_rule_goes_before() -> None:
    rules = masking({"raw.a": {"y": "text"}}, {"a.parquet": {"like": "raw.a"}, "b.parquet": {"like": "raw.b"}})
    policy = rules.with_classified([{"raw.a": {"x": "person_name", "y": "email"}, "raw.b": {"z": "email"}}])
    assert policy.table_rules("raw.a") == {"x": PersonName(rule="name"), "y": RedactedText(rule="text")}
    assert policy.object_rules("a.parquet") == policy.table_rules("raw.a")
    assert policy.object_rules("b.parquet") == {"z": Email(rule="email")}


def test_a_class_without_a_rule_leaves_its_column_without_one() -> None:
    assert masking({"raw.a": {"x": {"class": "unheard_of"}}}).table_rules("raw.a") == {}


def test_a_class_of_documents_may_name_classes_for_its_paths_but_no_documents_within() -> None:
    letters = {"rule": "json", "paths": {"to": {"class": "email"}, "more": {"class": "letters"}}}
    policy = Masking.model_validate({"classes": {"letters": letters}, "tables": {"raw.a": {"x": {"class": "letters"}}}})
    rule = (policy.table_rules("raw.a") or {})["x"]
    assert isinstance(rule, Json)
    assert rule.paths == {"to": Email(rule="email")}


def test_the_place_of_a_rule_is_where_it_is_written() -> None:
    policy = masking({"raw.a": {"keep": ["x"], "z": "name", "c": {"class": "email"}}}, {"raw/a.csv": {"like": "raw.a"}})
    policy = policy.with_classified([{"raw.b": {"z": "email"}}])
    assert policy.place_of("tables", "raw.a", "z") == ("tables", "raw.a", "z")
    assert policy.place_of("lake", "raw/a.csv", "z") == ("tables", "raw.a", "z")
    assert policy.place_of("lake", "raw/a.csv", "c") == ("classes", "email")
    assert policy.place_of("tables", "raw.b", "z") == ("classes", "email")
