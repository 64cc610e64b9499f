"""Reading dataops.yaml: what is right is a frozen model, what is wrong is told with file, line and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.loader import load_platform
from dataops.infra.platform.problems import PlatformError
from support.platform_file import PLATFORM_TEXT, line_of, write_platform

# what is replaced, by what, the text on the line at fault, the message, the hint
MISTAKES = [
    ("name: shop", "name: shop\nbackend: ftp://x", "ftp", "expected a folder, `file:///path` or `s3://", ""),
    ("timezone: UTC", "timezone: Europe/Berlni", "Berlni", "did you mean `Europe/Berlin`?", ""),
    ('"0 5 * * *"', '"*/0 5 * * *"', "*/0", "`*/0` is not a cron field between 0 and 59", ""),
    ("port: PORT", "port: 8080", "8080", "expected text", "the name of the variable"),
    ("run: [python, -m, pipelines.load]", "run: python load.py", "load.py", "expected a list", "[python, load.py]"),
    ("privileges: [select]", "privileges: [read]", "[read]", "expected `select`", "known values are"),
    ("  sales:\n    schedule", "  sales:\n    parallel: two\n    schedule", "two", "expected a whole number", ""),
    ("name: shop", "nmae: shop", "nmae", "unknown key `nmae`", "did you mean `name`?"),
    ("schemas: [raw, marts]", "schema: [raw, marts]", "schema:", "unknown key `schema`", "did you mean `schemas`?"),
    ("port: PORT", "prot: PORT", "prot", "unknown key `prot`", "did you mean `port`?"),
    ("        run: [python, -m, pipelines.load]", "        rum: [python]", "rum", "unknown key `rum`", "`run`"),
    ("customer: {rule: name}", "customer: {rule: fpe, alfabet: x}", "alfabet", "unknown key `alfabet`", "`alphabet`"),
    ("customer: {rule: name}", "customer: {rule: nmae}", "nmae", "unknown rule `nmae`", "did you mean `name`?"),
    ("note: text", "note: txt", "note: txt", "unknown rule `txt`", "did you mean `text`?"),
    ("note: text", "note: 3", "note: 3", "expected a masking rule, got the number 3", "{rule: NAME}"),
    ("note: text", "note: {rule: date_shift}", "note:", "the key `days` is missing", "add `days:`"),
    ("note: text", "note: {rule: date_shift, days: 0}", "note:", "expected a number of at least 1", ""),
    ("note: text", "note: {rule: date_shift, days: soon}", "note:", "expected a whole number", ""),
    ("note: text", "note: {rule: fpe, alphabet: aa}", "note:", "expected 2 to 256 different characters", ""),
    ("database: shop", "database: 7", "database", "expected text, got the number 7", "quote it"),
    ("database: shop", "database:", "database", "expected text, got nothing", ""),
    ("    database: shop\n", "", "warehouse:", "the key `database` is missing", "add `database:`"),
    ("schemas: [raw, marts]", "schemas: raw", "schemas", "expected a list, got the text `raw`", ""),
    ("run: [python, -m, pipelines.load]", "run: python", "run: python\n", "expected a list, got the text", ""),
    ("run: [python, -m, pipelines.load]", "run: []", "run: []", "must not be empty", ""),
    ("services:\n  sales-api:", "services:\n  Sales API:", "Sales API", "expected a name of lower-case", ""),
    ("health: /healthz", "health: healthz", "health:", "expected a path that begins with `/`", ""),
    ("name: shop", "name: shop\nimages: {python: Not An Image}", "python", "expected the name of an image", ""),
    ("    port: PORT\n", "", "sales-api:", "`health` needs `port`", ""),
    ('cron: "0 5 * * *"', 'cron: "0 25 * * *"', "cron", "`25` is not a cron field between 0 and 23", ""),
    ('cron: "0 5 * * *"', 'cron: "daily"', "cron", "expected five fields", ""),
    ("timezone: UTC", "timezone: Mars/Olympus", "timezone", "expected a time zone", ""),
    ("kind: postgres", "kind: mysql", "kind: mysql", "expected `postgres`, got the text `mysql`", ""),
    ("privileges: [select]", "privileges: [selct]", "privileges", "got the text `selct`", "did you mean `select`?"),
    ('members: ["team:analytics"]', "members: [ada]", "members", "expected a member as `person:name`", ""),
    ("apiVersion: dataops/v1", "apiVersion: 1", "apiVersion", "expected `dataops/v1`", ""),
    ("name: shop\n", "name: shop\ncode: {requirements: ../up.txt}\n", "code", "expected a path inside the", ""),
    ("name: shop\n", "name: shop\npassphrase: {}\n", "passphrase", "expected exactly one of", ""),
    ("name: shop\n", "name: shop\nname: shop\n", "name: shop", "the key is given twice", ""),
    ('inputs: ["lake:raw/orders.csv"]', 'inputs: ["lake:raw/order.csv"]', "order.csv", "no step makes", "orders.csv"),
    ('outputs: ["warehouse:raw.orders"]', 'outputs: ["warehouse:row.orders"]', "row.", "no schema `row`", "`raw`"),
    ('outputs: ["warehouse:raw.orders"]', 'outputs: ["raw.orders"]', '["raw.orders', "expected a dataset as", ""),
    ("tables: [marts.sales]", "tables: [marts.sale]", "marts.sale]", "no step makes the table", "`marts.sales`"),
    ("owner: analytics", "owner: analysts", "owner", "there is no person or team `analysts`", "`analytics`"),
    ("product: sales", "product: sale", "product: sale", "there is no product `sale`", "did you mean `sales`?"),
    ('["team:analytics"]', '["team:analytic"]', "members", "there is no team `analytic`", "`analytics`"),
    ('["team:analytics"]', '["person:bob"]', "members", "there is no person `bob`", "known ones are ada"),
    ("teams: [analytics]", "teams: [analysis]", "[analysis]", "there is no team `analysis`", "`analytics`"),
    ("    sales_reader:", "    pipeline:", "    pipeline:", "the database role `pipeline` belongs to", ""),
    ("    ada:", "    sales_reader:", "    sales_reader:", "a person is named `sales_reader` as well", ""),
    ("GREETING: hello", "WAREHOUSE_URL: x", "WAREHOUSE_URL", "dataops itself sets `WAREHOUSE_URL`", ""),
    ("GREETING: hello}", "GREETING: hello}\n    setings: {}", "setings", "unknown key `setings`", "`settings`"),
    (
        "GREETING: hello}",
        "GREETING: hello}\n    schedules: pause",
        "schedules",
        "expected `run` or `paused`",
        "`paused`",
    ),
    ("GREETING: hello}", "GREETING: hello}\n    settings: {port: '1'}", "port", "dataops itself sets `port`", "leave"),
    ("GREETING: hello}", "GREETING: hello}\n    settings: {work_mem: 8}", "work_mem", "expected text", "quote it"),
    ("GREETING: hello}", "GREETING: hello}\n    parameters: {a b: 1}", "a b", "the key `a b` is not valid", ""),
    ("GREETING: hello}", "GREETING: hello}\n    parameters: {size: [1]}", "size", "expected text, a number", ""),
    ("like: raw.orders", "like: raw.order", "like", "no rules are given for `raw.order`", "`raw.orders`"),
    ("keep: [day, total]", "like: marts.sales", "like: marts", "no rules are given for `marts.sales`", ""),
    ("keep: [order_id]", "keep: [order_id, note]", "keep", "the column `note` has another rule", ""),
    ("      keep: [day, total]", "      {}", "marts.sales:", "names no column", ""),
    ("    marts.sales:", "    mart.sales:", "    mart.sales", "no schema `mart`", "did you mean `marts`?"),
    ("      - name: load", "      - name: extract", "name: extract", "another step is named `extract`", ""),
    (
        "run: [python, -m, pipelines.extract]",
        "run: [python]\n        needs: [lod]",
        "needs",
        "there is no step `lod`",
        "did you mean `load`?",
    ),
    (
        "run: [python, -m, pipelines.extract]",
        "run: [python]\n        needs: [marts]",
        "name: extract",
        "the steps wait for one another: extract → load → marts → extract",
        "remove one",
    ),
]


@pytest.mark.parametrize(("old", "new", "at", "what", "hint"), MISTAKES, ids=[m[3].replace(" ", "-") for m in MISTAKES])
def test_a_mistake_is_told_with_its_line_and_what_was_expected(
    tmp_path: Path, old: str, new: str, at: str, what: str, hint: str
) -> None:
    path = write_platform(tmp_path, old, new)
    with pytest.raises(PlatformError) as caught:
        load_platform(path)
    matching = [problem for problem in caught.value.problems if what in problem.what]
    assert matching, [str(problem) for problem in caught.value.problems]
    lines = path.read_text(encoding="utf-8").splitlines()
    on_the_line = [problem for problem in matching if at.strip("\n") in lines[problem.line - 1]]
    assert on_the_line, [(problem.line, lines[problem.line - 1]) for problem in matching]
    assert any(hint in problem.hint for problem in on_the_line), on_the_line


def test_a_valid_file_becomes_a_frozen_model(tmp_path: Path) -> None:
    platform = load_platform(write_platform(tmp_path))
    assert platform.stores.warehouse.schemas == ("raw", "marts")
    assert platform.variables("replica") == {"GREETING": "hi"}
    with pytest.raises(ValidationError, match="frozen"):
        platform.name = "other"


def test_a_folder_stands_for_its_dataops_yaml(tmp_path: Path) -> None:
    write_platform(tmp_path)
    assert load_platform(tmp_path).name == "shop"


def test_the_error_names_file_and_line_first(tmp_path: Path) -> None:
    path = write_platform(tmp_path, "port: PORT", "prot: PORT")
    with pytest.raises(ConfigurationError) as caught:
        load_platform(path)
    assert caught.value.where == f"{path}:{line_of(path, 'prot')}"
    assert caught.value.what == "services.sales-api: unknown key `prot`"
    assert caught.value.exit_code == 2


def test_several_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "dataops.yaml"
    text = PLATFORM_TEXT.replace("name: shop", "nmae: shop").replace("port: PORT", "prot: PORT")
    path.write_text(text.replace("branch: main", "branch: [main]"), encoding="utf-8")
    with pytest.raises(PlatformError) as caught:
        load_platform(path)
    lines = [problem.line for problem in caught.value.problems]
    assert lines == sorted(lines)
    assert {line_of(path, "nmae"), line_of(path, "prot"), line_of(path, "branch: [main]")} <= set(lines)
    assert caught.value.details is not None and f"{path}:{line_of(path, 'prot')}: " in caught.value.details


def test_several_broken_references_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "dataops.yaml"
    text = PLATFORM_TEXT.replace("owner: analytics", "owner: nobody").replace("like: raw.orders", "like: raw.none")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlatformError) as caught:
        load_platform(path)
    assert [problem.line for problem in caught.value.problems] == [line_of(path, "nobody"), line_of(path, "raw.none")]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("name: [a, b\nstores: 1\n", 2, "not valid YAML"),
        ("a: b\n\tc: d\n", 2, "not valid YAML"),
        ("- a\n- b\n", 1, "expected a mapping"),
        ("", 1, "expected a mapping"),
        ("a: &x {b: *x}\n", 1, "an alias refers to what it stands in"),
        ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
    ],
)
def test_text_that_is_not_a_mapping_is_told_with_its_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "dataops.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_platform(path)
    assert caught.value.where == f"{path}:{line}"
    assert what in caught.value.what


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_platform(tmp_path / "dataops.yaml")
    assert caught.value.hint is not None and "dataops init" in caught.value.hint


def test_a_file_that_is_not_text_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "dataops.yaml"
    path.write_bytes(b"name: shop\ncode: \xff\n")
    with pytest.raises(ConfigurationError, match="not UTF-8") as caught:
        load_platform(path)
    assert caught.value.where == f"{path}:2"


def test_values_that_may_be_secret_are_not_repeated(tmp_path: Path) -> None:
    path = write_platform(tmp_path, "schemas: [raw, marts]", 'schemas: "postgresql://u:hunter2@host/db"')
    with pytest.raises(PlatformError) as caught:
        load_platform(path)
    assert "hunter2" not in str(caught.value)


@settings(deadline=None)
@given(st.data())
def test_any_spoiled_line_either_loads_or_is_told_in_words(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = PLATFORM_TEXT.splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    spoiled = data.draw(st.text(alphabet="abz:{}[]\"'-#&*! 019\n|>,", max_size=12))
    lines[index] = lines[index][: data.draw(st.integers(0, len(lines[index])))] + spoiled
    path = tmp_path_factory.mktemp("spoiled") / "dataops.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        load_platform(path)
    except ConfigurationError as error:
        assert error.where is not None and error.where.startswith(f"{path}:")


def test_environments_differ_by_settings_schedules_and_parameters(tmp_path: Path) -> None:
    more = (
        "GREETING: hello}\n    settings: {work_mem: 32MB}\n    schedules: paused\n"
        "    parameters: {size: 3, ratio: 0.5, loud: true, region: eu-west-1, zip: '0123'}"
    )
    platform = load_platform(write_platform(tmp_path, "GREETING: hello}", more))
    assert platform.environments.of("production").schedules == "paused"
    assert (platform.environments.staging.schedules, platform.environments.replica.schedules) == ("run", "paused")
    assert platform.settings("production") == {"work_mem": "32MB"} and platform.settings("replica") == {}
    assert platform.configuration("replica") == {}
    assert platform.configuration("production") == {
        "shop:size": "3", "shop:ratio": "0.5", "shop:loud": "true", "shop:region": "eu-west-1", "shop:zip": "0123",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]), "aliases"),
        ("[" * 1_000, "nested too deeply"),
        ("name:\tx\n\tfoo: 1\n", "a tab stands where spaces should"),
        ("name: a\0b\n", "U\\+0000 may not stand in YAML"),
    ],
)
def test_a_file_made_to_break_its_reader_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "dataops.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        load_platform(path)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dataops.yaml")
    with pytest.raises(ConfigurationError, match="it is no regular file"):
        load_platform(tmp_path / "dataops.yaml")
