"""The life of a stack, told through the console script: from nothing to nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.console import PROJECT, Console, project
from support.programs import SHELVES

PROGRAM = (
    SHELVES
    + """
first = Shelf("first", size=config.get_int("size") or 1)
second = Shelf("second", opts=pulumi.ResourceOptions(depends_on=[first]))
pulumi.export("size", first.size)
pulumi.export("key", config.get_secret("key"))
"""
)

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The folder where shelves are."""
    (tmp_path / "world").mkdir()
    return tmp_path / "world"


@pytest.fixture
def console(tmp_path: Path, world: Path) -> Console:
    """A project with a stack `dev` and a program that makes two shelves."""
    console = project(tmp_path / "shop", PROGRAM, WORLD=str(world))
    console.stack("init", "dev")
    return console


def shelves(world: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(world.iterdir())}


def test_a_stack_lives_from_init_to_rm(console: Console, world: Path) -> None:
    console.stack("config", "set", "size", "3")
    console.stack("config", "set", "--secret", "key", "open sesame")

    previewed = console.stack("preview")
    assert "+ pulumi-python:dynamic:Resource first create" in previewed.stderr
    assert "+ 3 to create" in previewed.stdout
    assert shelves(world) == {}

    made = console.stack("up", "--yes", "--message", "the first shelves")
    assert "+ 3 created" in made.stdout
    assert "key : [secret]" in made.stdout
    assert "open sesame" not in made.stdout + made.stderr
    assert 'key : "open sesame"' in console.stack("up", "--yes", "--show-secrets").stdout
    assert shelves(world) == {"first": "3", "second": "1"}

    again = console.stack("up", "--yes", "--expect-no-changes")
    assert "3 unchanged" in again.stdout

    console.stack("config", "set", "size", "4")
    surprised = console.run("stack", "up", "--yes", "--expect-no-changes")
    assert surprised.status == 7
    assert "~ 1 updated" in surprised.stdout
    assert shelves(world)["first"] == "4"

    assert console.stack("output", "--json").json == {"key": "[secret]", "size": 4}
    assert console.stack("output", "key", "--show-secrets").stdout == "open sesame\n"

    exported = console.stack("export").stdout
    assert "open sesame" not in exported
    assert len(json.loads(exported)["deployment"]["resources"]) == 4

    recorded = console.stack("history", "--json").json
    assert [found["result"] for found in recorded] == ["succeeded"] * 4
    assert recorded[-1]["message"] == "the first shelves"
    assert recorded[-1]["resourceChanges"] == {"create": 3}
    assert recorded[-1]["config"] == {"shop:key": {"secret": True}, "shop:size": {"value": "3", "secret": False}}

    gone = console.stack("destroy", "--yes")
    assert "- 3 deleted" in gone.stdout
    assert shelves(world) == {}
    assert [found["kind"] for found in console.stack("history", "--json").json][0] == "destroy"
    console.stack("rm", "--yes")
    assert console.stack("ls", "--json").json == []


def test_a_refresh_finds_what_another_hand_did(console: Console, world: Path) -> None:
    console.stack("up", "--yes")
    (world / "first").write_text("9")
    (world / "second").unlink()
    previewed = console.stack("refresh", "--preview-only")
    assert "~ 1" in previewed.stdout
    assert console.stack("output", "size").stdout == "1\n"
    console.stack("refresh", "--yes")
    assert len(console.stack("export").json["deployment"]["resources"]) == 3
    console.stack("up", "--yes")
    assert shelves(world) == {"first": "1", "second": "1"}


def test_up_can_refresh_first(console: Console, world: Path) -> None:
    console.stack("up", "--yes")
    (world / "second").unlink()
    console.stack("up", "--yes", "--refresh")
    assert shelves(world) == {"first": "1", "second": "1"}
    console.write("Pulumi.yaml", PROJECT + "options: {refresh: always}\n")
    (world / "second").unlink()
    console.stack("up", "--yes", "--refresh=false")
    assert shelves(world) == {"first": "1"}
    console.stack("up", "--yes")
    assert shelves(world) == {"first": "1", "second": "1"}


def test_json_and_the_event_log_tell_the_same(console: Console) -> None:
    digest = console.stack("preview", "--json").json
    assert digest["changeSummary"] == {"create": 3}
    streamed = console.stack("up", "--skip-preview", "--json", "--event-log", "events")
    lines = [json.loads(line) for line in streamed.stdout.splitlines()]
    logged = [json.loads(line) for line in (console.folder / "events").read_text().splitlines()]
    internal = "urn:pulumi:dev::shop::pulumi:providers:pulumi-python::default"
    shown = [line for line in logged if not any(internal in _urns(told) for told in line.values())]
    assert [set(line) for line in lines] == [set(line) for line in shown]
    assert len(shown) < len(logged), "only the log tells of what is the engine's own"
    (summary,) = [line["summaryEvent"] for line in logged if "summaryEvent" in line]
    assert summary["resourceChanges"] == {"create": 3}


def _urns(told: Any) -> set[str]:
    return {told["metadata"]["urn"]} if isinstance(told, dict) and "metadata" in told else set()


def test_without_a_yes_nothing_happens(console: Console, world: Path) -> None:
    for verb in ("up", "refresh", "destroy"):
        outcome = console.run("stack", verb, "--non-interactive")
        assert outcome.status == 2
        assert "--yes" in outcome.stderr
    assert shelves(world) == {}


def test_configuration_given_with_up_is_kept(console: Console, world: Path) -> None:
    console.stack("up", "--yes", "--config", "size=7")
    assert shelves(world)["first"] == "7"
    assert console.stack("config", "get", "size").stdout == "7\n"


def test_destroy_can_remove_the_stack_as_well(console: Console) -> None:
    console.stack("up", "--yes")
    console.stack("destroy", "--yes", "--remove")
    assert console.stack("ls", "--json").json == []
    assert not (console.folder / "Pulumi.dev.yaml").exists()


def test_the_history_tells_what_two_updates_made_different_and_outlives_a_new_name(console: Console) -> None:
    console.stack("config", "set", "size", "3")
    console.stack("config", "set", "--secret", "key", "one")
    console.stack("up", "--yes", "--message", "three of them")
    console.stack("config", "set", "size", "4")
    console.stack("config", "set", "--secret", "key", "two")
    console.stack("up", "--yes")
    listed = console.stack("history").stdout
    assert "three of them" in listed and "+3" in listed and "COMMIT" in listed
    compared = console.stack("history", "--diff", "1", "2")
    assert "inputs.size: 3 => 4" in compared.stdout and "outputs.key: [secret] => [secret]" in compared.stdout
    changes = console.stack("history", "--diff", "1", "2", "--json").json["changes"]
    assert {change["op"] for change in changes} == {"update"}
    assert console.run("stack", "history", "--diff", "1", "9").status == 6

    console.stack("rename", "live")
    assert len(console.stack("history", "--json").json) == 2
    console.stack("preview", "--expect-no-changes")
    (console.folder / "Pulumi.live.yaml").unlink()
    console.stack("config", "refresh")
    assert console.stack("config", "get", "size").stdout == "4\n"
    assert console.stack("config", "get", "key").stdout == "two\n"
    console.stack("config", "set", "size", "9")
    assert console.run("stack", "config", "refresh").status == 2
    console.stack("config", "refresh", "--force")
    assert "9" in (console.folder / "Pulumi.live.yaml.bak").read_text()
