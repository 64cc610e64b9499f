from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dataops.envs.lock import hold, holder_of, lease_path
from dataops.infra.errors import LockedError
from dataops.infra.platform.records import write_record
from dataops.infra.process.identity import this_machine
from dataops.infra.state.holder import EXPIRY, lock_content
from dataops.infra.state.timestamps import time_to_json


def leave_behind(registry: Path, **changes: Any) -> None:
    """A lease that somebody else wrote, with the same fields as ours but for the changes."""
    said = lock_content(time.time(), "env up") | {"token": "another"} | changes
    write_record(lease_path(registry, "x"), said)


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_held_lease_names_its_holder(tmp_path: Path) -> None:
    with hold(tmp_path, "x", "env up --branch x"):
        with pytest.raises(LockedError) as caught, hold(tmp_path, "x", "env down x"):
            pass
        assert f"pid {os.getpid()}" in caught.value.what
        assert "env up --branch x" in caught.value.what
        assert caught.value.hint and "env status x" in caught.value.hint
    assert holder_of(tmp_path, "x") is None


def test_leases_of_different_environments_do_not_meet(tmp_path: Path) -> None:
    with hold(tmp_path, "x", "one"), hold(tmp_path, "y", "two"):
        assert holder_of(tmp_path, "x") != holder_of(tmp_path, "y")


def test_a_dead_holder_is_taken_over_and_remembered(tmp_path: Path) -> None:
    dead = dead_pid()
    leave_behind(tmp_path, pid=dead, token="dead")
    with hold(tmp_path, "x", "env up") as lease:
        assert lease.taken_over is not None
        assert (lease.taken_over.pid, lease.taken_over.token, lease.taken_over.command) == (dead, "dead", "env up")


def test_a_process_that_got_the_same_id_is_not_the_holder(tmp_path: Path) -> None:
    leave_behind(tmp_path, processStart="1")
    with hold(tmp_path, "x", "env up") as lease:
        assert lease.taken_over is not None


def test_a_holder_from_before_the_last_boot_is_dead(tmp_path: Path) -> None:
    """Where machines can be told apart; else another machine of this name may hold it, until its heart stops."""
    leave_behind(tmp_path, bootId="another")
    if not this_machine().installation:
        with pytest.raises(LockedError), hold(tmp_path, "x", "env up"):
            pass
        long_ago = time_to_json(datetime.fromtimestamp(time.time() - EXPIRY - 1, UTC))
        leave_behind(tmp_path, bootId="another", heartbeat=long_ago)
    with hold(tmp_path, "x", "env up") as lease:
        assert lease.taken_over is not None


def test_a_holder_elsewhere_is_believed_while_its_heart_beats(tmp_path: Path) -> None:
    leave_behind(tmp_path, hostname="elsewhere")
    with pytest.raises(LockedError), hold(tmp_path, "x", "env up"):
        pass
    long_ago = time_to_json(datetime.fromtimestamp(time.time() - EXPIRY - 1, UTC))
    leave_behind(tmp_path, hostname="elsewhere", heartbeat=long_ago)
    with hold(tmp_path, "x", "env up") as lease:
        assert lease.taken_over is not None


def test_a_lease_that_somebody_took_over_is_not_removed_at_the_end(tmp_path: Path) -> None:
    with hold(tmp_path, "x", "env up"):
        leave_behind(tmp_path, token="thief")
    found = holder_of(tmp_path, "x")
    assert found is not None and found.token == "thief"


RACE = """
import pathlib, sys, time
from dataops.envs.lock import hold
from dataops.infra.errors import LockedError
registry = pathlib.Path(sys.argv[1])
while not (registry / "go").exists():
    time.sleep(0.001)
try:
    with hold(registry, "x", "race"):
        print("won", flush=True)
        sys.stdin.read()
except LockedError:
    print("lost", flush=True)
"""


def test_of_many_who_take_over_a_dead_holder_one_wins(tmp_path: Path) -> None:
    leave_behind(tmp_path, pid=dead_pid())
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    (tmp_path / "go").touch()
    said = [racer.stdout.readline().strip() for racer in racers if racer.stdout]
    for racer in racers:
        racer.communicate()
    assert sorted(said) == ["lost", "lost", "lost", "won"]


def test_a_lease_that_cannot_be_read_keeps_nobody_away(tmp_path: Path) -> None:
    lease_path(tmp_path, "x").write_text("{half a le")
    assert holder_of(tmp_path, "x") is None
    with hold(tmp_path, "x", "env up"):
        assert holder_of(tmp_path, "x") is not None
    assert list(tmp_path.iterdir()) == []
