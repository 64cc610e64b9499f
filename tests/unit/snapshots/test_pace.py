"""What a capture says of how far it is: parts, rows, rate, and the time that is left."""

from __future__ import annotations

import re

from dataops.snapshots.catalogue import SourceTable
from dataops.snapshots.manifest import StoredData, TableEntry
from dataops.snapshots.pace import Pace
from dataops.snapshots.plans import TablePlan
from dataops.snapshots.ranges import Range
from dataops.snapshots.rows import CapturedTable
from dataops.snapshots.tasks import Task
from dataops.snapshots.worker import Answer

PLAN = TablePlan(SourceTable(1, "raw", "a", "raw.a", 1 << 20, 1, (), 128), ("x",), ())
TASKS = [Task(PLAN, Range(start, start + 64), bytes=1 << 19) for start in (0, 64)]


def answer(rows: int) -> Answer:
    return Answer(CapturedTable(TableEntry(("x",), rows, 4096, StoredData(1, 1, "")), (), {}))


def test_each_part_tells_how_far_the_capture_is_and_how_long_it_takes() -> None:
    pace = Pace(TASKS)
    first, second = (pace.after(task, answer(500)) for task in TASKS)
    assert re.fullmatch(r"raw\.a: 500 rows; 1 of 2 parts, 500 rows, [\d.]+ [KMG]?i?B/s, \S+ left", first)
    assert re.fullmatch(r"raw\.a from page 64 on: 500 rows; 2 of 2 parts, 1,000 rows, .*/s, 0s left", second)


def test_what_was_in_the_store_already_says_nothing_about_the_time_that_is_left() -> None:
    said = Pace(TASKS).after(TASKS[0], answer(7), again=True)
    assert said == "raw.a: 7 rows, in the store already; 1 of 2 parts, 7 rows, 0 B/s"
