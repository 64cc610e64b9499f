"""`kill -9` of the command line at any moment of `env up` and `env down`: the next run converges, nothing is left.

A run is cut after one of the lines that it prints, chosen by a seed that a failing test shows; set `DATAOPS_SEED` to
have the same again. `torture` cuts after every line there is.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from dataops.envs.sweep import leftovers
from support.scratch_git import git
from support.scratch_platform import ScratchPlatform

pytestmark = pytest.mark.slow


SEED = int(os.environ["DATAOPS_SEED"])
LINES_OF_UP, LINES_OF_DOWN = 21, 14
"""About how many lines the two commands print here; a cut after the last one lets the command end."""


@pytest.fixture(scope="module", autouse=True)
def _branch(shop: ScratchPlatform) -> None:
    shop.branch("feature/kill")


def cut(shop: ScratchPlatform, lines: int, *words: str) -> str:
    """Runs a command and kills it after so many lines of progress; gives what it said."""
    process = shop.start(*words)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if len(said) == lines:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate()
    return "".join(said)


def check_whole(shop: ScratchPlatform) -> None:
    """The replica is there and works."""
    made = shop.do("env", "up", "--branch", "feature/kill", "-o", "json").json
    assert made["state"] == "ready" and all(check["ok"] for check in made["checks"])
    status = shop.do("env", "status", "feature-kill", "-o", "json").json
    assert status["parts"] and all(part["answers"] for part in status["parts"]) and not status["interrupted"]
    assert shop.do("env", "fingerprint", "feature-kill", "-o", "json").json["tables"]
    again = shop.do("env", "up", "--branch", "feature/kill", "-o", "json").json
    assert again["changed"] is False and again["notes"] == []


def check_gone(shop: ScratchPlatform) -> None:
    """Nothing of the replica is left, and everything of production still is."""
    found = shop.do("env", "ls", "-o", "json").json
    assert [e["name"] for e in found] == ["production"]
    assert all(part["answers"] for part in found[0]["parts"])
    roots = [root.name for root in shop.roots()]
    assert roots == ["production"]
    root = shop.roots()[0].with_name("feature-kill")
    assert leftovers(root, []).lines() == []
    assert "feature-kill" not in git(shop.folder, "worktree", "list")
    state = shop.folder / ".dataops" / "state" / ".pulumi"
    assert [path for path in state.rglob("*feature-kill*") if path.is_file()] == []
    assert programs(shop.home) == []


def programs(home: Path) -> list[str]:
    """Programs of killed command lines that still run."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(home) in line and "feature-kill" in line]


def kill_up(shop: ScratchPlatform, lines: int) -> None:
    said = cut(shop, lines, "env", "up", "--branch", "feature/kill")
    print(f"seed {SEED}: `env up` was killed after {lines} lines:\n{said}")


def kill_down(shop: ScratchPlatform, lines: int) -> None:
    said = cut(shop, lines, "env", "down", "feature-kill", "--yes")
    print(f"seed {SEED}: `env down` was killed after {lines} lines:\n{said}")
    if shop.run("env", "status", "feature-kill").status == 0:
        shop.do("env", "down", "feature-kill", "--yes")


def converge(shop: ScratchPlatform, up: int, down: int) -> None:
    kill_up(shop, up)
    check_whole(shop)
    kill_down(shop, down)
    check_gone(shop)


@pytest.mark.parametrize("number", range(2))
def test_killed_at_some_moment_the_next_run_converges(shop: ScratchPlatform, number: int) -> None:
    choice = random.Random(SEED + number)
    converge(shop, choice.randrange(1, LINES_OF_UP), choice.randrange(1, LINES_OF_DOWN))


def test_what_a_killed_up_left_is_removed_by_down(shop: ScratchPlatform) -> None:
    lines = random.Random(SEED).randrange(3, LINES_OF_UP)
    kill_up(shop, lines)
    if shop.run("env", "status", "feature-kill").status == 0:
        removed = shop.do("env", "down", "feature-kill", "--yes")
        assert "interrupted while" not in removed.stderr  # what it was doing is found and removed, not asked about
    check_gone(shop)


def test_a_replica_whose_removal_was_killed_comes_up_again(shop: ScratchPlatform) -> None:
    check_whole(shop)
    cut(shop, random.Random(SEED).randrange(2, LINES_OF_DOWN), "env", "down", "feature-kill", "--yes")
    check_whole(shop)
    shop.do("env", "down", "feature-kill", "--yes")
    check_gone(shop)


def test_taking_over_from_a_killed_holder_is_recorded(shop: ScratchPlatform) -> None:
    cut(shop, 4, "env", "up", "--branch", "feature/kill")
    left = shop.do("env", "status", "feature-kill", "-o", "json").json
    assert left["interrupted"] and left["state"] == "creating" and left["locked_by"] is None
    made = shop.do("env", "up", "--branch", "feature/kill", "-o", "json").json
    recorded = shop.do("env", "status", "feature-kill", "-o", "json").json["notes"]
    assert "who died during `env up --branch feature/kill`" in made["notes"][0]
    assert [note["what"] for note in recorded] == made["notes"]
    shop.do("env", "down", "feature-kill", "--yes")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_says_so_and_goes_on_later(shop: ScratchPlatform, number: signal.Signals) -> None:
    process = shop.start("env", "up", "--branch", "feature/kill")
    assert process.stderr is not None
    for line in process.stderr:
        if "Supervisor" in line:
            process.send_signal(number)
            break
    _, said = process.communicate()
    assert process.returncode == 8, said
    assert shop.do("env", "status", "feature-kill", "-o", "json").json["state"] == "failed"
    check_whole(shop)
    shop.do("env", "down", "feature-kill", "--yes")
    check_gone(shop)


@pytest.mark.torture
@pytest.mark.parametrize("lines", range(1, LINES_OF_UP + 1))
def test_killed_after_any_line_the_next_run_converges(shop: ScratchPlatform, lines: int) -> None:
    converge(shop, lines, 1 + lines % LINES_OF_DOWN)


@pytest.mark.torture
@pytest.mark.parametrize("lines", range(1, LINES_OF_UP + 1))
def test_what_an_up_killed_after_any_line_left_is_removed_by_down(shop: ScratchPlatform, lines: int) -> None:
    kill_up(shop, lines)
    if shop.run("env", "status", "feature-kill").status == 0:
        shop.do("env", "down", "feature-kill", "--yes")
    check_gone(shop)
