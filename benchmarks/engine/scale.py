"""How the engine grows with the number of resources: create, no-op, a tenth changed, destroy; wide and deep.

    python -m benchmarks.engine.scale [--counts 300 1000 3000 10000] [--shape wide|deep]

Time is wall time and the processor's, the engine's with the program's; the exponent is fitted to the latter, which a
busy machine disturbs less. Memory is the largest of the processes. Journal bytes are counted while it grows.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine.compare import DATAOPS, OPERATIONS, Scratch


@dataclass(frozen=True)
class Measured:
    """One operation on one number of resources; seconds, mebibytes, bytes."""

    count: int
    wall: float
    processor: float
    memory: float
    journal: int


class Watch:
    """Notes how large a file becomes."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._done, self.largest = folder, threading.Event(), 0
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            for file in self._folder.rglob("*.journal"):
                try:
                    self.largest = max(self.largest, file.stat().st_size)
                except FileNotFoundError:
                    continue


def measure(scratch: Scratch, count: int, verb: str, variables: dict[str, str]) -> Measured:
    """Runs one operation."""
    command = [*scratch.command, verb, "--yes", "--skip-preview", "--non-interactive", "--suppress-progress"]
    began = time.perf_counter()
    with Watch(scratch.folder / "state") as watch:
        process = subprocess.Popen(
            command,
            cwd=scratch.folder / "program",
            env={**scratch.environment, **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Measured(count, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, watch.largest)


def exponent(measured: Sequence[Measured]) -> float:
    """The slope of processor time over count, both as logarithms: 1 is linear."""
    points = [(math.log(one.count), math.log(one.processor)) for one in measured]
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def grow(counts: Sequence[int], shape: str) -> None:
    """Prints every operation at every count, and how each grows."""
    found: dict[str, list[Measured]] = {name: [] for name in OPERATIONS}
    print(f"\n{shape}: seconds of wall and of processor, MiB, journal bytes for each resource")
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "scale"
            folder.mkdir()
            scratch = Scratch(DATAOPS, "dynamic", count, folder, shape)
            for operation, (verb, variables) in OPERATIONS.items():
                row = measure(scratch, count, verb, variables)
                found[operation].append(row)
                print(
                    f"  {operation:<16}{count:>7}{row.wall:9.2f}{row.processor:9.2f}{row.memory:8.0f}"
                    f"{row.journal / count:9.0f}",
                    flush=True,
                )
    for operation, rows in found.items():
        if len(rows) > 1:
            print(f"  {operation:<16} grows with the number of resources to the power of {exponent(rows):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[300, 1000, 3000, 10000])
    parser.add_argument("--shape", choices=["wide", "deep"], default="wide")
    asked = parser.parse_args()
    grow(asked.counts, asked.shape)
