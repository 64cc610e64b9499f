"""A disk that is full while a snapshot is restored or cloned, a pipeline runs, state is written: nothing is lost.

Where mounting is permitted the platform lies on a small file system; elsewhere a limit on the size of files, which
writes meet in the same places, stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.console import Outcome
from support.mortal_environments import check_gone, contents
from support.obstacles import FullDisk, may_mount, small_file_system
from support.scratch_git import commit
from support.scratch_platform import FILES, scratch_platform

pytestmark = pytest.mark.slow

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def disk() -> Iterator[FullDisk]:
    with ExitStack() as stack:
        folder = stack.enter_context(small_file_system(600)) if may_mount() else None
        below = folder or Path("/tmp")
        shop = stack.enter_context(scratch_platform(below=below))
        shop.produce()
        yield FullDisk(shop, folder)


def is_told(outcome: Outcome) -> None:
    """It says what is full and what to do, in an error of ours."""
    assert outcome.status in (1, 4), outcome.stderr
    assert "error: " in outcome.stderr, outcome.stderr
    assert any(w in outcome.stderr for w in ("full", "No space", "no room", "large")), outcome.stderr
    assert "Traceback" not in outcome.stderr and "defect" not in outcome.stderr, outcome.stderr


def test_while_a_snapshot_is_restored_nothing_half_made_is_taken_for_a_golden_directory(disk: FullDisk) -> None:
    disk.shop.branch("feature/restore")
    is_told(disk.run(12 * MEGABYTE, "env", "up", "--branch", "feature/restore"))
    (golden,) = disk.shop.home.glob("platforms/*/golden")
    assert [path.name for path in golden.iterdir() if path.is_dir()] == []
    assert disk.shop.do("env", "status", "feature-restore", "-o", "json").json["state"] == "failed"
    disk.shop.do("env", "up", "--branch", "feature/restore")
    assert contents(disk.shop, "feature-restore").tables["raw.orders"]["rows"] == 50
    disk.shop.do("env", "down", "feature-restore", "--yes")
    check_gone(disk.shop, "feature-restore")


def test_while_a_replica_is_cloned_the_next_run_goes_on(disk: FullDisk) -> None:
    disk.shop.branch("feature/clone")
    is_told(disk.run(12 * MEGABYTE, "env", "up", "--branch", "feature/clone"))
    disk.shop.do("env", "up", "--branch", "feature/clone")
    assert contents(disk.shop, "feature-clone").tables["raw.orders"]["rows"] == 50
    disk.shop.do("env", "down", "feature-clone", "--yes")
    check_gone(disk.shop, "feature-clone")


def test_what_could_not_be_made_can_be_removed(disk: FullDisk) -> None:
    disk.shop.branch("feature/remove")
    is_told(disk.run(12 * MEGABYTE, "env", "up", "--branch", "feature/remove"))
    disk.shop.do("env", "down", "feature-remove", "--yes")
    check_gone(disk.shop, "feature-remove")


@pytest.mark.parametrize("room", [0, 512])
def test_while_a_pipeline_runs_the_data_stays_and_the_next_run_succeeds(disk: FullDisk, room: int) -> None:
    before = contents(disk.shop, "production")
    is_told(disk.run(room, "pipeline", "run", "sales", "--env", "production"))
    assert disk.shop.do("pipeline", "run", "sales", "--env", "production", "-o", "json").json["state"] == "succeeded"
    assert contents(disk.shop, "production") == before


@pytest.mark.parametrize("room", [0, 4096, pytest.param(16384, marks=pytest.mark.torture)])
def test_while_state_is_written_nothing_of_it_is_lost(disk: FullDisk, room: int) -> None:
    before = contents(disk.shop, "production")
    commit(disk.shop.folder, {"dataops.yaml": FILES["dataops.yaml"].replace("hello", f"hello {room}")}, "Change")
    is_told(disk.run(room, "env", "deploy", "production", "--yes"))
    disk.shop.do("env", "deploy", "production", "--yes")
    assert contents(disk.shop, "production") == before
    again = disk.shop.do("env", "deploy", "production", "--yes", "-o", "json").json
    assert again["changed"] is False and again["notes"] == []
