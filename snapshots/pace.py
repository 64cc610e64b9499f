"""How far a capture is, how fast, and how long it may still take."""

from __future__ import annotations

import time
from collections.abc import Iterable

from dataops.infra.platform.quantities import duration_text, size_text
from dataops.snapshots.rows import CapturedTable
from dataops.snapshots.tasks import Task
from dataops.snapshots.worker import Answer


class Pace:
    """Counts what is done. Not safe to use from several threads.

    Args:
        tasks: all that there is to do; how large each is told by the server, since nobody has read it yet.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        sizes = [task.bytes for task in tasks]
        self._parts, self._all = len(sizes), sum(sizes)
        self._done = self._size = self._rows = self._bytes = self._again = 0
        self._began = time.monotonic()

    def after(self, task: Task, answer: Answer, *, again: bool = False) -> str:
        """What is to be said when a task is done.

        Args:
            again: that an earlier capture had put it into the store already; it says nothing about how fast we are.
        """
        entry = answer.captured.entry if answer.captured else None
        rows = (entry.rows or 0) if entry else 0
        self._done += 1
        self._rows += rows
        self._size += task.bytes
        self._again += task.bytes if again else 0
        self._bytes += entry.bytes if entry and not again else 0
        seconds = max(time.monotonic() - self._began, 0.001)
        work = self._size - self._again
        left = f", {duration_text(round(seconds * (self._all - self._size) / work))} left" if work else ""
        what = (
            f"{rows:,} rows" if isinstance(answer.captured, CapturedTable) else f"{entry.bytes if entry else 0:,} bytes"
        )
        place = f" from page {task.part.first:,} on" if task.part.first else ""
        known = ", in the store already" if again else ""
        return (
            f"{task.label}{place}: {what}{known}; {self._done:,} of {self._parts:,} parts, {self._rows:,} rows, "
            f"{size_text(round(self._bytes / seconds))}/s{left}"
        )
