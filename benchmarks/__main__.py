"""`make bench`: every measurement, one after the other; or those that are named: `python -m benchmarks PART …`."""

import os
import sys
import time
from collections.abc import Callable

from benchmarks import containers, environment, replicas, state
from benchmarks.engine import compare, scale
from benchmarks.snapshots import capture, clones, masking


def all_clones() -> None:
    """Clones of each size, where that is possible."""
    if os.geteuid() == 0:
        clones.compare([1, 5, 10])
    else:
        print("left out: clones, which need root to mount a pool")


PARTS: dict[str, Callable[[], object]] = {
    "engine-300": lambda: compare.compare(300, 2),
    "engine-300-deep": lambda: compare.compare(300, 1, "deep"),
    "engine-10": lambda: compare.compare(10, 2),
    "engine-10-deep": lambda: compare.compare(10, 1, "deep"),
    "start-up": lambda: compare.start_up(5),
    "scale": lambda: scale.grow([300, 1000, 3000, 10000], "wide"),
    "scale-deep": lambda: scale.grow([300, 1000, 3000], "deep"),
    "environment": lambda: environment.compare(runs=3),
    "containers": containers.compare,
    "replicas": lambda: replicas.measure(count=20),
    "state": state.measure,
    "masking": masking.measure,
    "capture": capture.compare,
    "clones": all_clones,
}
"""What can be measured by itself; those whose names begin with `engine` or `scale` are about the engine."""

if unknown := set(sys.argv[1:]) - PARTS.keys():
    raise SystemExit(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
for part in sys.argv[1:] or PARTS:
    began = time.monotonic()
    PARTS[part]()
    print(f"  ({part} took {time.monotonic() - began:.0f} s)", flush=True)
