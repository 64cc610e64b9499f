"""Masking rules as the platform file writes them."""

from __future__ import annotations

from dataops.infra.platform.masking import ALPHABETS, RULES, Fpe, Keep, Masking, Null, PersonName, RedactedText


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
    }


def test_an_alphabet_may_be_named_or_spelt_out() -> None:
    assert Fpe(rule="fpe", alphabet="digits").characters == ALPHABETS["digits"]
    assert Fpe(rule="fpe", alphabet="ABC").characters == "ABC"
