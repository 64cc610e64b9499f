"""Runs whole commands and keeps what they cost, in turn so that a slow moment of the machine meets each of them."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LOOKS = 0.1
"""Seconds between two looks at how much memory a command takes."""


@dataclass
class Timed:
    """The wall times of one command, in seconds."""

    name: str
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def row(self, against: Timed | None = None) -> str:
        """One line: minimum, median and maximum, and the ratio of medians to `against`."""
        spread = f"{min(self.seconds):6.2f} {self.median:6.2f} {max(self.seconds):6.2f}"
        ratio = f"   {self.median / against.median:5.2f} x {against.name}" if against and against is not self else ""
        return f"  {self.name:<44} {spread} s{ratio}"


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> float:
    """The wall time of a command that must succeed, in seconds; its output is shown when it does not."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=dict(environment), capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return took


def peak_memory(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    """The wall time of a command that must succeed, and the most MiB that it and all it started held at once.

    That is the sum of what is resident of each, so what they share counts for each.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = psutil.Popen(list(command), cwd=folder, env=dict(environment), stdout=said, stderr=said)
        with Most(lambda: _resident(process)) as memory:
            status = process.wait()
            took = time.perf_counter() - began
        if status:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {status}\n{said.read()[-4000:].decode(errors='replace')}")
    return took, memory.value / 2**20


def _resident(process: psutil.Process) -> float:
    total = 0
    with contextlib.suppress(psutil.Error):
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += one.memory_info().rss
    return total


class Most:
    """The most that something was within a `with` statement, looked at every tenth of a second.

    Args:
        look: what it is now.
    """

    def __init__(self, look: Callable[[], float]) -> None:
        self.value = 0.0
        self._look = look
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch)

    def __enter__(self) -> Most:
        self._watching.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._watching.join()

    def _watch(self) -> None:
        while not self._ended.wait(LOOKS):
            self.value = max(self.value, self._look())


def verdict(value: float, bound: float, *, least: bool = False) -> str:
    """The bound of a figure, at most or at `least`, and whether it is kept."""
    kept = value >= bound if least else value <= bound
    return f"({'>=' if least else '<='} {bound:g}: {'kept' if kept else 'NOT KEPT'})"


def in_turn(runs: int, contenders: Sequence[tuple[Timed, Callable[[], float]]]) -> None:
    """Runs each contender `runs` times, A B A B …, and keeps what each took.

    Nobody waits for the disk because of what the one before has left to be written.
    """
    for _ in range(runs):
        for timed, once in contenders:
            os.sync()
            timed.seconds.append(once())


def header(title: str) -> None:
    """The heading over a group of rows."""
    print(f"\n{title}\n  {'':<44} {'min':>6} {'median':>6} {'max':>6}")


def shown(value: float, bound: float, *, least: bool = False) -> str:
    """A figure with the bound that it must keep."""
    return f"{value:.3g} {verdict(value, bound, least=least)}"
