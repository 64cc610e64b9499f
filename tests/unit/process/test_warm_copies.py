"""Copies made ahead: few, whole, of what the golden directory holds now, and each handed out once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dataops.infra.process.cloning import technique_at
from dataops.infra.process.warm_copies import (
    MOST,
    claim,
    complete_copies,
    folder_of,
    refill,
    remove_copies,
    start_refill,
)
from support.postgres import open_directory
from support.small_disk import MEGABYTE, small_disk, small_disks


@pytest.fixture
def golden() -> Iterator[Path]:
    """A golden directory on a file system that can share no blocks."""
    with open_directory() as place:
        yield make_golden(place)


def make_golden(place: Path, size: int = MEGABYTE) -> Path:
    golden = place / "golden" / "key"
    (golden / "postgres" / "base").mkdir(parents=True)
    (golden / "postgres" / "base" / "1").write_bytes(os.urandom(size))
    (golden / "postgres" / "base" / "1").chmod(0o400)
    (golden / "golden.json").write_text("{}")
    return golden


def test_a_place_without_copies_has_none_to_claim(golden: Path) -> None:
    assert not claim(golden / "postgres", golden.parent.parent / "target")
    assert not claim(golden.parent.parent, golden.parent.parent / "target")


if technique_at(Path("/tmp")) == "copy":

    def test_a_copy_is_claimed_by_renaming_it_and_replaced_afterwards(golden: Path) -> None:
        assert refill(golden, 2) == 2
        (first, second), target = complete_copies(golden), golden.parent.parent / "target"
        inode = (first / "postgres" / "base" / "1").stat().st_ino
        assert claim(golden / "postgres", target)
        assert (target / "base" / "1").stat().st_ino == inode
        assert (target / "base" / "1").read_bytes() == (golden / "postgres" / "base" / "1").read_bytes()
        with open(target / "base" / "1", "r+b") as file:
            file.write(b"changed")
        assert complete_copies(golden) == [second]
        assert refill(golden, 2) == 2

    def test_there_are_few(golden: Path) -> None:
        assert refill(golden, 99) == MOST
        assert refill(golden, 0) == MOST

    def test_each_copy_is_handed_out_once(golden: Path) -> None:
        refill(golden, 3)
        targets = [golden.parent.parent / f"target{n}" for n in range(8)]
        with ThreadPoolExecutor(8) as threads:
            claimed = list(threads.map(lambda target: claim(golden / "postgres", target), targets))
        assert sum(claimed) == 3
        assert [target.is_dir() for target in targets] == claimed
        assert list(folder_of(golden).iterdir()) == []

    def test_copies_of_what_was_there_before_are_not_handed_out(golden: Path) -> None:
        refill(golden, 1)
        (golden / "golden.json").write_text('{"built": "again"}')
        assert not claim(golden / "postgres", golden.parent.parent / "target")
        refill(golden, 1)
        assert len(list(folder_of(golden).iterdir())) == 1
        assert claim(golden / "postgres", golden.parent.parent / "target")

    def test_copies_go_with_their_golden_directory(golden: Path) -> None:
        other = golden.with_name("other")
        shutil.copytree(golden, other)
        refill(golden, 1)
        refill(other, 1)
        remove_copies(golden)
        assert (complete_copies(golden), len(complete_copies(other))) == ([], 1)
        shutil.rmtree(other)
        refill(golden, 1)
        assert not folder_of(other).exists()

    def test_a_process_that_makes_copies_may_be_killed_at_any_moment(golden: Path) -> None:
        (golden / "postgres" / "base" / "2").write_bytes(os.urandom(64 * MEGABYTE))
        for patience in (0.1, 0.3, 0.6):
            command = [sys.executable, "-m", "dataops.infra.process.warm_copies", str(golden), "4"]
            child = subprocess.Popen(command)
            time.sleep(patience)
            child.send_signal(signal.SIGKILL)
            child.wait()
            for copy in complete_copies(golden):
                assert (copy / "postgres" / "base" / "2").stat().st_size == 64 * MEGABYTE
        assert refill(golden, 1) >= 1
        assert sorted(folder_of(golden).iterdir()) == sorted(complete_copies(golden))

    def test_they_are_made_in_the_background(golden: Path) -> None:
        start_refill(golden, 1)
        deadline = time.monotonic() + 120
        while not complete_copies(golden) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert claim(golden / "postgres", golden.parent.parent / "target")

    if small_disks():

        def test_a_fifth_of_the_disk_is_left_free() -> None:
            with open_directory() as place, small_disk(place, 100):
                golden = make_golden(place, 25 * MEGABYTE)
                assert refill(golden, 4) == 2
