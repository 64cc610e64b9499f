"""Interrupting a stack's update: by the terminal, by whoever runs it, twice, and with what a program leaves behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from support.console import Console, project
from support.programs import SHELVES

pytestmark = pytest.mark.slow

SLOW = SHELVES + 'Shelf("slow", size=1, slow=config.get("slow"))\n'


def begun(tmp_path: Path, seconds: float) -> Console:
    """A project whose stack makes something that takes so long."""
    (tmp_path / "world").mkdir()
    console = project(tmp_path / "shop", SLOW, WORLD=str(tmp_path / "world"))
    console.stack("init", "dev")
    console.stack("config", "set", "slow", str(seconds))
    return console


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def locks(console: Console) -> list[Path]:
    return list(console.state.glob(".pulumi/locks/**/*.json"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_terminated_update_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    console = begun(tmp_path, 2)
    process = console.start("stack", "up", "--yes", "--skip-preview")
    wait_for(tmp_path / "world" / "slow.started")
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 8, told
    state = console.stack("export").json["deployment"]
    assert any(found["urn"].endswith("::slow") for found in state["resources"])
    assert "pending_operations" not in state
    assert [found["result"] for found in console.stack("history", "--json").json] == ["failed"]
    assert locks(console) == []


def test_interrupted_twice_an_update_waits_for_nothing_and_records_what_is_unknown(tmp_path: Path) -> None:
    console = begun(tmp_path, 600)
    process = console.start("stack", "up", "--yes", "--skip-preview")
    wait_for(tmp_path / "world" / "slow.started")
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 8, told
    (pending,) = console.stack("export").json["deployment"]["pending_operations"]
    assert pending["type"] == "creating" and pending["resource"]["urn"].endswith("::slow")
    assert locks(console) == []
    console.stack("config", "rm", "slow")
    warned = console.stack("up", "--yes", "--skip-preview")
    assert "::slow, interrupted while creating" in warned.stderr
    console.stack("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    assert "pending_operations" not in console.stack("export").json["deployment"]


def test_what_a_program_leaves_running_does_not_hold_the_update(tmp_path: Path) -> None:
    leaves = 'import subprocess\nimport pulumi\npulumi.export("left", subprocess.Popen(["sleep", "600"]).pid)\n'
    console = project(tmp_path / "shop", leaves)
    console.stack("init", "dev")
    process = console.start("stack", "up", "--yes", "--skip-preview")
    process.communicate(timeout=60)
    assert process.returncode == 0
    left = console.stack("output", "left").stdout
    os.kill(int(left), signal.SIGKILL)
