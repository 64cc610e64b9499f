"""Results in the form that was asked for, progress and errors in theirs, questions only where somebody answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from dataops.cli import main as main_module
from dataops.cli.commands.env_options import confirm
from dataops.cli.commands.env_progress import progress
from dataops.cli.notices import notice
from dataops.cli.options import output_option
from dataops.cli.tables import print_json, print_table
from dataops.envs.phases import Moment, PhaseEvent
from dataops.infra.errors import NotFoundError
from support.console import Outcome, SameProcess

ROWS: list[dict[str, Any]] = [{"name": "a|b", "size": 1}, {"name": "no", "size": 2}]


@click.command("fruit")
@output_option
@click.option("--fail", is_flag=True)
@click.option("--ask", is_flag=True)
def fruit(fail: bool, ask: bool, as_json: bool) -> None:
    if fail:
        raise NotFoundError("no such fruit", where="bowl:3", hint="buy one", details="empty")
    if ask:
        confirm("Eat it?", False, "dataops fruit")
    notice("two fruits", phase="bowl")
    with progress() as sink:
        sink(PhaseEvent("peel", Moment.STARTED, "peeling"))
        sink(PhaseEvent("peel", Moment.FINISHED, seconds=0.25))
    if as_json:
        print_json(ROWS)
    else:
        print_table(("NAME", "SIZE"), [(row["name"], str(row["size"])) for row in ROWS])


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SameProcess:
    monkeypatch.setitem(main_module.dataops.commands, "fruit", fruit)
    return SameProcess(tmp_path / "folder")


def run(console: SameProcess, *words: str, **variables: str) -> Outcome:
    return console.run("fruit", *words, variables=variables)


def test_json_and_yaml_say_the_same(console: SameProcess) -> None:
    assert run(console, "-o", "json").json == ROWS
    assert YAML(typ="safe", pure=True).load(run(console, "-o", "yaml").stdout) == ROWS


def test_markdown_is_a_table_whose_cells_hold(console: SameProcess) -> None:
    printed = run(console, "-o", "md").stdout.splitlines()
    assert printed[:3] == ["| NAME | SIZE |", "| --- | --- |", "| a\\|b | 1 |"]


def test_a_variable_gives_the_form_and_an_option_overrides_it(console: SameProcess) -> None:
    assert run(console, DATAOPS_OUTPUT="json").json == ROWS
    assert run(console, "-o", "table", DATAOPS_OUTPUT="json").stdout.startswith("NAME")
    wrong = run(console, DATAOPS_OUTPUT="xml")
    assert wrong.status == 2 and "xml" in wrong.stderr


@pytest.mark.parametrize("by", ["option", "variable"])
def test_progress_is_an_object_per_line_where_asked(console: SameProcess, by: str) -> None:
    words = ("--log-format", "json") if by == "option" else ()
    done = run(console, *words, **({"DATAOPS_LOG_FORMAT": "json"} if by == "variable" else {}))
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(t["phase"], t["moment"], t["text"]) for t in told] == [
        ("bowl", "note", "two fruits"), ("peel", "started", "peeling"), ("peel", "finished", ""),
    ]  # fmt: skip
    assert told[2]["seconds"] == 0.25 and all(t["time"].endswith("Z") for t in told)
    assert done.stdout.startswith("NAME")


def test_errors_are_objects_where_progress_is(console: SameProcess) -> None:
    done = run(console, "--fail", "--log-format=json")
    assert done.status == 6
    assert json.loads(done.stderr) == {
        "error": "no such fruit", "where": "bowl:3", "hint": "buy one", "details": "empty", "exitCode": 6,
    }  # fmt: skip
    usage = run(console, "--log-format", "json", "--no-such-option")
    assert json.loads(usage.stderr)["exitCode"] == usage.status == 2


def test_what_a_command_runs_does_not_choose_the_form_of_errors(console: SameProcess) -> None:
    assert run(console, "--fail", "--", "--log-format", "json").stderr.startswith("error: ")


def test_nobody_is_asked_without_a_terminal(console: SameProcess) -> None:
    for words in (["--ask"], ["--ask", "--non-interactive"]):
        done = run(console, *words)
        assert done.status == 2 and "dataops fruit --yes" in done.stderr
