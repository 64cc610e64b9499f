"""`masking.yaml` beside `dataops.yaml`: which rule holds where both have one, and where a mistake is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.cli.main import main
from dataops.infra.errors import ConfigurationError, VerificationError
from dataops.infra.platform.loader import load_platform, parse_platform, read_platform_document
from dataops.infra.platform.masking_edit import add_rules, replace_file
from dataops.infra.platform.problems import PlatformError
from dataops.snapshots.masking.base import Family
from dataops.snapshots.problems import Missing, Problems
from support.platform_file import write_platform

RULES = """\
# rules apart
classes:
  nickname: {rule: constant, value: nobody}
tables:
  raw.orders:
    keep: [amount, order_id, note]
    customer: hash
    phone: phone
  raw.people:
    keep: [id]
    nick: {class: nickname}
lake:
  raw/people.csv: {like: raw.people}
"""


def beside(folder: Path, text: str) -> Path:
    path = write_platform(folder)
    (folder / "masking.yaml").write_text(text, encoding="utf-8")
    return path


def test_each_column_has_the_rule_of_dataops_yaml_or_else_that_of_masking_yaml(tmp_path: Path) -> None:
    platform = load_platform(beside(tmp_path, RULES))
    orders = platform.policy.table_rules("raw.orders") or {}
    assert {column: rule.word for column, rule in orders.items()} == {
        "order_id": "keep",
        "amount": "keep",
        "customer": "name",
        "note": "text",
        "phone": "phone",
    }
    people = platform.policy.table_rules("raw.people") or {}
    assert {column: rule.word for column, rule in people.items()} == {"id": "keep", "nick": "constant"}
    assert {*(platform.policy.object_rules("raw/people.csv") or {})} == {"id", "nick"}
    assert {*(platform.policy.object_rules("raw/orders.csv") or {})} == {*orders}


def test_both_go_before_what_a_product_says_of_its_columns(tmp_path: Path) -> None:
    path = write_platform(tmp_path, "    tables: [marts.sales]\n", "    tables: [marts.sales]\n    classified:\n"
                          "      marts.sales: {day: email, buyer: email}\n")  # fmt: skip
    (tmp_path / "masking.yaml").write_text("tables:\n  marts.sales: {buyer: hash}\n", encoding="utf-8")
    rules = load_platform(path).policy.table_rules("marts.sales") or {}
    assert (rules["buyer"].word, rules["day"].word) == ("hash", "keep")


def test_all_rules_may_stand_in_masking_yaml(tmp_path: Path) -> None:
    text = write_platform(tmp_path).read_text(encoding="utf-8")
    head, _, rest = text.partition("masking:\n")
    rules, _, tail = rest.partition("environments:")
    alone = parse_platform(tmp_path / "dataops.yaml", f"{head}environments:{tail}", "\n".join(
        line.removeprefix("  ") for line in rules.splitlines()))  # fmt: skip
    assert alone.policy == load_platform(tmp_path).policy
    nothing = parse_platform(tmp_path / "dataops.yaml", text, "# nothing yet\n")
    assert nothing.policy == alone.policy


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("tables:\n  raw.people:\n    nick: hsh\n", 3, 'tables["raw.people"].nick: unknown rule `hsh`'),
        ("tables:\n  raw.orders:\n    phone: {rule: fpe, alphabt: hex}\n", 3, "unknown key `alphabt`"),
        ("tabels: {}\n", 1, "unknown key `tabels`"),
        ("tables:\n\n  nowhere.people: {keep: [id]}\n", 3, "the warehouse has no schema `nowhere`"),
        ("tables:\n  raw.people:\n    keep: [id]\n    nick: {class: nicname}\n", 4, "there is no class"),
        ("tables:\n  raw.people: {like: raw.order}\n", 2, "no rules are given for `raw.order`"),
        ("tables:\n  raw.orders:\n    keep: [amount, amount]\n", 3, "has another rule as well"),
        ("lake:\n  raw/x.csv: {keep: [a]}\nlake: {}\n", 3, "the key is given twice"),
        ("- a\n", 1, "expected a mapping"),
        ("tables: [raw.orders]\n", 1, "expected a mapping"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = beside(tmp_path, text)
    with pytest.raises(PlatformError) as caught:
        load_platform(path)
    assert caught.value.where == f"{tmp_path / 'masking.yaml'}:{line}"
    assert what in f"{caught.value.what}"


def test_mistakes_in_both_files_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_platform(tmp_path, "port: PORT", "prot: PORT")
    (tmp_path / "masking.yaml").write_text("tables:\n  raw.people: {nick: hsh}\n", encoding="utf-8")
    assert main(["validate", "-f", str(path)]) == 2
    told = capsys.readouterr().err
    assert "unknown key `prot`" in told and f"{tmp_path / 'masking.yaml'}:2: " in told and "hsh" in told


def test_a_file_that_is_no_yaml_is_told_by_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_platform(beside(tmp_path, "tables:\n\t- x\n"))
    assert caught.value.where == f"{tmp_path / 'masking.yaml'}:2"


def test_a_capture_says_in_which_file_rules_are_missing(tmp_path: Path) -> None:
    document = read_platform_document(beside(tmp_path, RULES))
    for owner, file in (("raw.people", "masking.yaml:9"), ("raw.orders", "dataops.yaml")):
        problems = Problems(document)
        problems.add(Missing("tables", owner, "born", Family.DATE), f"{owner}.born")
        with pytest.raises(VerificationError) as caught:
            problems.raise_any()
        assert file in str(caught.value.where)


def test_rules_are_added_to_a_file_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "masking.yaml"
    new = add_rules(file, "", {"tables": {"raw.c": {"z": "hash"}}}, apart=True)
    assert new == "tables:\n  raw.c:\n    z: hash\n"
    replace_file(file, new)
    more = add_rules(file, RULES, {"tables": {"raw.people": {"born": "null"}, "raw.c": {"z": "hash"}}}, apart=True)
    assert more == RULES.replace(
        "    nick: {class: nickname}\n", "    nick: {class: nickname}\n    born: null\n  raw.c:\n    z: hash\n"
    )
