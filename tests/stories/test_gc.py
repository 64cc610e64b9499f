"""`dataops gc` after `kill -9` at moments that leave something behind: it finds exactly that, and nothing else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataops.envs.sweep import leftovers, processes_of
from support.scratch_git import git
from support.scratch_platform import ScratchPlatform

pytestmark = pytest.mark.slow


def kill_when(shop: ScratchPlatform, reached: Callable[[], bool], *words: str) -> None:
    """Starts a command and kills it as soon as it has come that far."""
    process = shop.start(*words)
    deadline = time.monotonic() + 120
    while not reached():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def found(shop: ScratchPlatform, *options: str) -> list[tuple[str, str]]:
    (made,) = shop.do("gc", "--dry-run", "-o", "json", *options).json
    assert all(f["ours"] and f["unowned"] and f["action"] for f in made["findings"])
    return [(f["kind"], f["name"]) for f in made["findings"]]


def collect(shop: ScratchPlatform) -> dict[str, Any]:
    """Removes what nobody owns; afterwards there is nothing of it, and production is as it was."""
    (outcome,) = shop.do("gc", "--yes", "-o", "json").json
    assert outcome["left"] == [] and len(outcome["removed"]) == len(outcome["findings"])
    assert found(shop) == []
    parts = shop.do("env", "status", "production", "-o", "json").json["parts"]
    assert parts and all(part["answers"] for part in parts)
    result: dict[str, Any] = outcome
    return result


def platform_folder(shop: ScratchPlatform) -> Path:
    return next(shop.home.glob("platforms/*"))


def test_everything_has_an_owner_in_a_platform_that_is_used_as_intended(shop: ScratchPlatform) -> None:
    shop.branch("feature/owned")
    shop.do("env", "up", "--branch", "feature/owned")
    assert found(shop) == [] and "everything has an owner" in shop.do("gc").stdout
    shop.do("env", "down", "feature-owned", "--yes")
    assert found(shop) == []


def test_what_an_up_left_that_was_killed_before_its_record_is_found(shop: ScratchPlatform) -> None:
    shop.branch("feature/early")
    registry = platform_folder(shop) / "registry"
    lease, record = registry / "feature-early.lease", registry / "feature-early.json"
    kill_when(shop, lease.exists, "env", "up", "--branch", "feature/early")
    assert not record.exists()
    kinds = found(shop)
    assert ("lease", "feature-early") in kinds and set(kinds) <= {
        ("lease", "feature-early"),
        ("state", "feature-early"),
    }
    asked = shop.run("gc")
    assert asked.status == 2 and "dataops gc --yes" in asked.stderr and lease.exists()
    collect(shop)
    assert not lease.exists()


def test_what_a_killed_capture_left_is_found(shop: ScratchPlatform) -> None:
    store = platform_folder(shop) / "snapshots"
    before = sorted(store.iterdir())
    kill_when(shop, lambda: any(store.glob(".partial-*")), "snapshot", "capture", "--env", "production")
    time.sleep(1)  # its workers end by themselves
    assert found(shop) == [("snapshot", "")]
    collect(shop)
    assert sorted(store.iterdir()) == before


def test_what_a_killed_restore_left_is_found_and_its_environment_is_left_alone(shop: ScratchPlatform) -> None:
    golden = platform_folder(shop) / "golden"
    shop.branch("feature/half")
    shop.do("snapshot", "capture", "--env", "production")
    words = ["env", "up", "--branch", "feature/half"]
    kill_when(shop, lambda: any(golden.glob(".partial-*/postgres")), *words)
    deadline = time.monotonic() + 30
    while (kinds := found(shop)) != [("golden", "")] and time.monotonic() < deadline:
        time.sleep(0.2)  # whoever it had started ends by itself
    assert kinds == [("golden", "")]
    collect(shop)
    assert list(golden.glob(".partial-*")) == []
    assert shop.do(*words, "-o", "json").json["state"] == "ready"


def test_an_environment_whose_removal_was_killed_is_left_to_its_record(shop: ScratchPlatform) -> None:
    root = platform_folder(shop) / "environments" / "feature-half"
    kill_when(shop, lambda: not (root / "endpoints.json").exists(), "env", "down", "feature-half", "--yes")
    assert found(shop) == []
    shop.do("env", "down", "feature-half", "--yes")
    assert leftovers(root, []).lines() == [] and found(shop) == []


def test_an_environment_without_its_record_is_removed_completely(shop: ScratchPlatform) -> None:
    shop.branch("feature/lost")
    made = shop.do("env", "up", "--branch", "feature/lost", "-o", "json").json
    root = platform_folder(shop) / "environments" / "feature-lost"
    assert processes_of(root)
    record = platform_folder(shop) / "registry" / "feature-lost.json"
    record.rename(shop.home / "kept.json")
    kinds = found(shop)
    assert {"process", "state", "environment"} <= {kind for kind, _ in kinds} and {n for _, n in kinds} == {
        "feature-lost"
    }
    shown = shop.do("gc", "--dry-run").stdout
    assert str(root) in shown and "no record names feature-lost" in shown and processes_of(root)
    freed = collect(shop)["freed"]
    assert freed > 1_000_000
    assert leftovers(root, [made["warehouse"]["port"]]).lines() == []
    assert "feature-lost" not in git(shop.folder, "worktree", "list")
    state = shop.folder / ".dataops" / "state"
    assert [path for path in state.rglob("*feature-lost*") if path.is_file()] == []


def test_outside_of_a_platform_it_wants_to_be_told_which(shop: ScratchPlatform) -> None:
    refused = shop.run("gc", "--yes", cwd=shop.home)
    assert refused.status == 2 and "--all" in refused.stderr
    assert shop.do("gc", "--all", "--dry-run", "-o", "json", cwd=shop.home).json[0]["findings"] == []
