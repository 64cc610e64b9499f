"""`dataops config`: what is printed is what commands do."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.envs.settings import SETTINGS
from support.console import SameProcess
from support.platform_file import write_platform


@pytest.fixture
def console(tmp_path: Path) -> SameProcess:
    console = SameProcess(tmp_path / "platform")
    write_platform(console.folder)
    return console


def test_every_setting_is_listed_with_its_source(console: SameProcess) -> None:
    listed = console.run("config", "ls", "-o", "json", variables={"DATAOPS_TARGET": "local"}).json
    assert [s["key"] for s in listed] == [s.key for s in SETTINGS]
    assert {s["key"]: s["source"] for s in listed}["target"] == "variable"
    assert console.run("config", "ls").stdout.startswith("SETTING")


def test_explain_says_what_decides_and_what_is_overridden(console: SameProcess) -> None:
    told = console.run("config", "explain", "home", variables={"DATAOPS_HOME": "/elsewhere"}).stdout
    assert "/elsewhere" in told
    assert [line.split()[2] for line in told.splitlines() if line.startswith(("variable", "default"))] == [
        "decides", "overridden",
    ]  # fmt: skip
    named = console.run("config", "explain", "DATAOPS_HOME", "-o", "json").json
    assert (named["key"], named["source"]) == ("home", "variable")


def test_explain_takes_the_path_of_a_key(console: SameProcess) -> None:
    told = console.run("config", "explain", "environments.production.variables.GREETING").stdout
    assert "is hello" in told and "dataops.yaml:" in told
    wrong = console.run("config", "explain", "ouput")
    assert wrong.status == 6 and "`output`" in wrong.stderr


def test_a_value_that_a_setting_may_not_have_is_shown_before_it_is_refused(
    console: SameProcess,
) -> None:
    wrong = {"DATAOPS_PARALLEL": "many"}
    told = console.run("config", "explain", "parallel", variables=wrong)
    assert (
        told.status == 2
        and "variable  many" in told.stdout
        and "DATAOPS_PARALLEL: parallel cannot be 'many'" in told.stderr
    )
    assert "log-format" in console.run("config", "ls", variables=wrong).stdout


def test_the_default_of_home_is_not_what_the_variable_says(console: SameProcess) -> None:
    told = console.run("config", "explain", "home", "-o", "json", variables={"DATAOPS_HOME": "/elsewhere"}).json
    assert told["candidates"][-1]["value"] != "/elsewhere"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("pipelines.sales.steps.0", "pipelines.sales.steps has 3 items: write pipelines.sales.steps[0]"),
        ("masking.tables.raw.orders.note", 'a key with dots goes in quotes: masking.tables["raw.orders"]'),
    ],
)
def test_a_path_that_is_written_differently_is_told(console: SameProcess, key: str, hint: str) -> None:
    told = console.run("config", "explain", key)
    assert told.status == 6 and hint in told.stderr
