"""At a terminal: what is going to happen is shown as a tree, and nothing happens without a yes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from support.console import SCRIPT, Console, project
from support.programs import SHELVES
from support.terminal import at_terminal

QUESTION = "Do you want to perform this"

pytestmark = pytest.mark.slow


@pytest.fixture
def console(tmp_path: Path) -> Console:
    """A project with a stack `dev` and a program that makes one shelf."""
    (tmp_path / "world").mkdir()
    console = project(tmp_path / "shop", SHELVES + 'Shelf("a", size=1)\n', WORLD=str(tmp_path / "world"))
    console.stack("init", "dev")
    return console


def sit_at(console: Console, *words: str, answers: Mapping[str, str]) -> tuple[int, str]:
    return at_terminal([str(SCRIPT), "stack", *words], console.folder, console.variables, answers)


def test_a_yes_makes_it_happen(console: Console, tmp_path: Path) -> None:
    status, screen = sit_at(console, "up", answers={QUESTION: "y"})
    assert status == 0, screen
    assert "Previewing update (dev)" in screen
    assert "Updating (dev)" in screen
    assert "created" in screen
    assert (tmp_path / "world/a").exists()


def test_anything_else_does_nothing(console: Console, tmp_path: Path) -> None:
    status, screen = sit_at(console, "up", answers={QUESTION: ""})
    assert status == 8, screen
    assert "nothing was done" in screen
    assert not (tmp_path / "world/a").exists()
    assert console.stack("history", "--json").json == []


def test_the_passphrase_is_asked_for_and_not_shown(console: Console) -> None:
    console.stack("config", "set", "--secret", "key", "open sesame")
    del console.variables["PULUMI_CONFIG_PASSPHRASE"]
    status, screen = sit_at(console, "config", "get", "key", answers={"Passphrase:": "correct horse"})
    assert status == 0, screen
    assert "open sesame" in screen
    assert "correct horse" not in screen


def test_a_stack_is_removed_only_when_its_name_is_typed(console: Console) -> None:
    status, screen = sit_at(console, "rm", answers={"name to go on": "prod"})
    assert status == 1, screen
    assert len(console.stack("ls", "--json").json) == 1
    status, screen = sit_at(console, "rm", answers={"name to go on": "dev"})
    assert status == 0, screen
    assert console.stack("ls", "--json").json == []
