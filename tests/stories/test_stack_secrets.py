"""What commands on a stack print and write holds no secret, and what is open is found by the same search."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.console import Console, Outcome, project
from support.programs import SHELVES
from support.traces import holders

pytestmark = pytest.mark.slow

SECRET, OPEN = 'hush "Nädel"/1+', 'open "Kontrolle"/1+'

PROGRAM = (
    SHELVES
    + """
key = config.require_secret("key")
first = Shelf("first", size=1, key=key, label2=config.require("open"), deep={"in": [key]}, opts=pulumi.ResourceOptions(
    additional_secret_outputs=["made"]))
Shelf("second", size=config.get_int("size") or 1, key=pulumi.Output.concat("<", key, ">"), open=config.require("open"))
if config.get_bool("fail"):
    Shelf("third", key=key, open=config.require("open"), fail=True)
pulumi.export("key", key)
pulumi.export("open", config.require("open"))
pulumi.export("deep", {"key": [first.key]})
if config.get_bool("raises"):
    key.apply(lambda told: 1 / 0)
"""
).replace("    size: pulumi.Output[int]\n", "    size: pulumi.Output[int]\n    key: pulumi.Output[str]\n")


@pytest.fixture
def console(tmp_path: Path) -> Console:
    (tmp_path / "world").mkdir()
    console = project(tmp_path / "shop", PROGRAM, WORLD=str(tmp_path / "world"))
    console.stack("init", "dev")
    console.run("stack", "config", "set", "--secret", "key", stdin=SECRET)
    console.stack("config", "set", "open", OPEN)
    return console


def pieces(outcome: Outcome, what: str) -> dict[str, bytes]:
    return {f"{what}: stdout": outcome.stdout.encode(), f"{what}: stderr": outcome.stderr.encode()}


def test_no_secret_is_in_what_commands_print_and_write(console: Console, tmp_path: Path) -> None:
    assert console.stack("config", "get", "key").stdout.strip() == SECRET
    said: dict[str, bytes] = {}

    def does(*words: str, status: int = 0) -> None:
        outcome = console.run("stack", *words)
        assert outcome.status == status, outcome.stderr
        said.update(pieces(outcome, " ".join(words)))

    written = tmp_path / "written"
    written.mkdir()
    plan, log = str(written / "plan.json"), str(written / "events")
    does("preview", "--save-plan", plan, "--event-log", log + "1", "--diff")
    does("up", "--yes", "--plan", plan, "--event-log", log + "2", "--json")
    console.stack("config", "set", "size", "2")
    does("preview", "--json", "--show-sames")
    does("preview", "--diff", "--show-sames")
    does("up", "--yes", "--diff", "--event-log", log + "3")
    console.stack("config", "set", "fail", "true")
    does("up", "--yes", "--skip-preview", "--diff", "--event-log", log + "4", status=1)
    console.stack("config", "set", "raises", "true")
    does("up", "--yes", "--skip-preview", "--json", "--event-log", log + "5", status=1)
    console.stack("config", "rm", "fail")
    console.stack("config", "rm", "raises")
    does("refresh", "--yes", "--diff", "--event-log", log + "6")
    for words in (
        ("history",),
        ("history", "--json"),
        ("--json",),
        ("output",),
        ("output", "--json"),
        ("graph", str(written / "graph")),
    ):
        does(*words)
    for words in (("config",), ("config", "--json"), ("export",), ("ls", "--json")):
        does(*words)
    does("destroy", "--yes", "--diff", "--event-log", log + "7")

    files = [*written.rglob("*"), *console.state.rglob("*"), *console.folder.rglob("*")]
    said |= {str(file.relative_to(tmp_path)): file.read_bytes() for file in files if file.is_file()}
    assert holders(said, SECRET) == set()
    assert holders(said, console.variables["PULUMI_CONFIG_PASSPHRASE"]) == set()
    # The same search finds what is open, in every kind of place.
    found = holders(said, OPEN)
    for place in ("plan.json", "events2", "events3", "--json: stdout", "--diff --show-sames: stdout", "export: stdout"):
        assert any(place in name for name in found), (place, sorted(found))
    assert any("history.json" in name for name in found) and any("checkpoint.json" in name for name in found)
