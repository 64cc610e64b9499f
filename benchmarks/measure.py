"""Runs whole commands and keeps what they cost, in turn so that a slow moment of the machine meets each of them."""

from __future__ import annotations

import contextlib
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
    largest, ended = 0.0, threading.Event()
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = psutil.Popen(list(command), cwd=folder, env=dict(environment), stdout=said, stderr=said)

        def look() -> None:
            nonlocal largest
            while not ended.wait(LOOKS):
                total = 0
                with contextlib.suppress(psutil.Error):
                    for one in [process, *process.children(recursive=True)]:
                        with contextlib.suppress(psutil.Error):
                            total += one.memory_info().rss
                largest = max(largest, total / 2**20)

        watching = threading.Thread(target=look)
        watching.start()
        status = process.wait()
        took = time.perf_counter() - began
        ended.set()
        watching.join()
        if status:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {status}\n{said.read()[-4000:].decode(errors='replace')}")
    return took, largest


def in_turn(runs: int, contenders: Sequence[tuple[Timed, Callable[[], float]]]) -> None:
    """Runs each contender `runs` times, A B A B …, and keeps what each took."""
    for _ in range(runs):
        for timed, once in contenders:
            timed.seconds.append(once())


def header(title: str) -> None:
    """The heading over a group of rows."""
    print(f"\n{title}\n  {'':<44} {'min':>6} {'median':>6} {'max':>6}")
