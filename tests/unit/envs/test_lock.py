from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dataops.envs.lock import EXPIRY, Holder, hold, holder_of, lease_path
from dataops.infra.errors import LockedError
from dataops.infra.platform.records import write_record


def leave_behind(registry: Path, holder: Holder) -> None:
    write_record(lease_path(registry, "x"), asdict(holder))


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
    dead = replace(Holder.this_process("env up"), pid=dead_pid(), token="dead")
    leave_behind(tmp_path, dead)
    with hold(tmp_path, "x", "env up") as lease:
        assert lease.taken_over == dead


def test_a_process_that_got_the_same_id_is_not_the_holder(tmp_path: Path) -> None:
    leave_behind(tmp_path, replace(Holder.this_process("env up"), started="1", token="old"))
    with hold(tmp_path, "x", "env up") as lease:
        assert lease.taken_over is not None


def test_a_holder_from_before_the_last_boot_is_dead(tmp_path: Path) -> None:
    leave_behind(tmp_path, replace(Holder.this_process("env up"), boot="another", token="old"))
    with hold(tmp_path, "x", "env up") as lease:
        assert lease.taken_over is not None


def test_a_holder_elsewhere_is_believed_while_its_heart_beats(tmp_path: Path) -> None:
    elsewhere = replace(Holder.this_process("env up"), host="elsewhere", token="other")
    leave_behind(tmp_path, elsewhere)
    with pytest.raises(LockedError), hold(tmp_path, "x", "env up"):
        pass
    leave_behind(tmp_path, replace(elsewhere, heartbeat=time.time() - EXPIRY - 1))
    with hold(tmp_path, "x", "env up") as lease:
        assert lease.taken_over is not None


def test_a_lease_that_somebody_took_over_is_not_removed_at_the_end(tmp_path: Path) -> None:
    with hold(tmp_path, "x", "env up"):
        leave_behind(tmp_path, replace(Holder.this_process("env down"), token="thief"))
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
    leave_behind(tmp_path, replace(Holder.this_process("env up"), pid=dead_pid(), token="dead"))
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
