"""Captures, restores and prunes of snapshots in processes that are killed at a random moment.

Run as a program, this file does one of them: it says `ready` when it begins, and then what it is at.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY = "ready"
STARTING = "what comes before"


@dataclass(frozen=True)
class Killed:
    """How a command ended: the phase that it was in when it was killed, None when it came to its end, and its time."""

    phase: str | None
    seconds: float


def run(what: str, production: Any, after: float | None = None) -> Killed:
    """Does one thing to the snapshots of a production.

    Args:
        what: `capture`, `restore` or `prune`.
        production: see `support.small_production`.
        after: seconds, from when it begins, after which it is killed; None to let it come to its end.
    """
    layout = production.layout
    made = [str(layout.home), layout.directory, json.dumps(production.connection), str(production.lake)]
    words = [sys.executable, "-m", "support.killed_snapshots", what, *made]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    assert child.stdout is not None
    assert child.stdout.readline().strip() == READY
    began = time.monotonic()
    timer = threading.Timer(after, child.kill) if after is not None else None
    if timer:
        timer.start()
    phases = [line.strip() for line in child.stdout]
    status = child.wait()
    passed = time.monotonic() - began
    if timer:
        timer.cancel()
    child.stdout.close()
    assert status in (0, -signal.SIGKILL), (what, status)
    return Killed((phases or [STARTING])[-1] if status else None, passed)


def _phases_of_capture(line: str) -> str:
    return "reading tables and objects" if " " in line and "left out" not in line else "deciding"


def _files(event: str, arguments: tuple[Any, ...]) -> Iterator[str]:
    """What the files that are opened and renamed tell of the phase."""
    if event in ("open", "os.rename", "os.remove") and arguments and isinstance(arguments[0], str | os.PathLike):
        yield str(arguments[0])
    if event == "subprocess.Popen":
        yield str(arguments[0])


MARKS = {
    "capture": {"manifest.json": "publishing", "/index": "publishing", "references": "looking at the store"},
    "restore": {
        "initdb": "making a cluster",
        "launch": "running its server",
        "psql": "loading the schema",
        "/lake/": "writing objects",
        "golden.json": "publishing",
    },
    "prune": {"manifest.json": "taking manifests away", "/chunks/": "sweeping chunks", "references": "counting"},
}


def main(what: str, home: str, directory: str, connection: str, lake: str) -> None:
    """Does one thing, and tells its phases."""
    from dataops.infra.platform.layout import PlatformLayout
    from dataops.snapshots.golden import ensure_golden
    from dataops.snapshots.removal import Bounds, decide, remove
    from dataops.snapshots.store import newest
    from support.small_production import Production

    production = Production(PlatformLayout(Path(home), directory), json.loads(connection), Path(lake))
    layout, last = production.layout, [""]

    def say(phase: str) -> None:
        if phase != last[0]:
            last[0] = phase
            os.write(1, f"{phase}\n".encode())

    def heed(event: str, arguments: tuple[Any, ...]) -> None:
        for text in _files(event, arguments):
            for mark, phase in MARKS[what].items():
                if mark in text:
                    say(phase)

    os.write(1, f"{READY}\n".encode())
    sys.addaudithook(heed)
    if what == "capture":
        production.capture(progress=lambda line: say(_phases_of_capture(line)))
    elif what == "restore":
        ensure_golden(newest(layout), layout)
    else:
        remove(layout, decide(layout, {}, Bounds(keep=1)).going)


if __name__ == "__main__":
    main(*sys.argv[1:])
