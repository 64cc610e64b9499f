"""`kill -9` at random moments of real captures, restores and prunes: what is seen is whole, and the next one succeeds.

By default a few are tried, from DATAOPS_SEED; `torture` tries a hundred of each.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import psutil
import pytest

from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.golden import ensure_golden, remove_golden
from dataops.snapshots.store import list_snapshots
from support.kill_table import Victim
from support.killed_snapshots import run
from support.made_snapshots import make_snapshot, some_rows
from support.small_production import Production
from support.stored_snapshots import all_chunks, check, chunks_of

pytestmark = pytest.mark.slow

Record = Callable[[str, object], None]
SAMPLE = {"capture": 3, "restore": 2, "prune": 3}
PATIENCE = 60
DAYS = count()
EACH = 5
"""After so many kills in a row one is let come to its end."""


def prepare(what: str, production: Production) -> None:
    """Sees to it that there is something to do."""
    layout = production.layout
    found = list_snapshots(layout)
    if what == "restore" and not found:
        production.capture()
    for day in range(len(found), 4 if what == "prune" else 0):
        rows = b"".join(some_rows(4000, seed=day))
        make_snapshot(layout, {"raw.a": rows, "raw.b": rows[:100_000]}, day=next(DAYS))


def check_whole(what: str, production: Production) -> None:
    """Whatever is seen is whole, and nothing is left running."""
    layout = production.layout
    for manifest in list_snapshots(layout):
        check(layout, manifest)
    if what == "restore":
        deadline = time.monotonic() + PATIENCE
        while works_in(layout.golden):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def works_in(directory: Path) -> bool:
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(directory):
                return True
        except (psutil.Error, OSError):
            continue
    return False


def check_clean(what: str, layout: PlatformLayout) -> None:
    """After a command that came to its end nothing is left of those that were killed."""
    assert all_chunks(layout) == chunks_of(layout)
    assert list(layout.snapshots.glob(".partial-*")) == []
    if what == "prune":
        assert len(list_snapshots(layout)) == 1
    if what == "restore":
        (manifest,) = list_snapshots(layout)
        golden = ensure_golden(manifest, layout).data_directory.parent
        assert [path for path in layout.golden.glob("*") if path.is_dir()] == [golden]
        remove_golden(golden)


def kill_often(what: str, production: Production, kills: int, record: Record) -> None:
    """Kills a command so often, each time anywhere between its beginning and its end."""
    draw = random.Random(f"{os.environ['DATAOPS_SEED']} {what}")
    prepare(what, production)
    whole = run(what, production).seconds
    check_clean(what, production.layout)
    done = 0
    while done < kills:
        prepare(what, production)
        end = run(what, production, after=draw.uniform(0, whole))
        check_whole(what, production)
        if end.phase is not None:
            done += 1
            record("kill", [f"snapshot {what}", Victim.COMMAND.value, [end.phase]])
        elif what == "restore":
            check_clean(what, production.layout)
        if done % EACH == 0:
            assert run(what, production).phase is None
            check_clean(what, production.layout)
    assert run(what, production).phase is None
    check_clean(what, production.layout)


@pytest.mark.parametrize("what", SAMPLE)
def test_a_command_that_is_killed_leaves_what_is_whole_and_the_next_one_succeeds(
    production: Production, what: str, record_property: Record
) -> None:
    kill_often(what, production.elsewhere(f"killed-{what}-00000000"), SAMPLE[what], record_property)


@pytest.mark.torture
@pytest.mark.parametrize("what", SAMPLE)
def test_a_command_that_is_killed_a_hundred_times_leaves_what_is_whole(
    production: Production, what: str, record_property: Record
) -> None:
    kill_often(what, production.elsewhere(f"tortured-{what}-00000000"), 100, record_property)
