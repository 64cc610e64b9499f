"""Captures, removals and shreddings of made-up snapshots, each in a forked process that is killed where it is told.

Run as a program, this file is the warm process: it reads a request a line, forks, lets the child do it, and answers
with the child's exit status, negative for a signal, and the places at which it could have been killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

CHANGES = {"open", "os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir"}


class End(NamedTuple):
    """How a process ended: its status, negative for a signal, and the places that it passed."""

    status: int
    places: list[str]


class MortalStore:
    """Work on stores, each piece in a process of its own. A context manager."""

    def __init__(self) -> None:
        self._warm = subprocess.Popen(
            [sys.executable, "-m", "support.mortal_store"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            text=True,
        )

    def __enter__(self) -> MortalStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType) -> None:
        self._warm.communicate(timeout=60)

    def run(self, what: str, folder: Path, number: int, kill: int = 0) -> End:
        """Does one thing to the store below a folder.

        Args:
            what: `capture`, `remove` or `shred`.
            folder: see `support.made_snapshots.layout_in`.
            number: of the snapshot: the day it is taken, or its place among those that there are.
            kill: at which of the places that it passes it is killed, from 1; 0 for none.
        """
        assert self._warm.stdin and self._warm.stdout
        request = {"what": what, "folder": str(folder), "number": number, "kill": kill}
        self._warm.stdin.write(json.dumps(request) + "\n")
        self._warm.stdin.flush()
        status = int(self._warm.stdout.readline())
        return End(status, (folder / "places").read_text().splitlines())


def _phase(path: str) -> str:
    name = Path(path).name
    if "/chunks/" in path:
        return "chunks"
    if "manifest.json" in name:
        return "manifest"
    return "index and key" if name.removeprefix(".draft-").startswith(("index", "key")) else "bookkeeping"


def _watch(folder: Path, kill: int) -> None:
    """Kills this process at one of its changes to the store, before it happens."""
    passed, lock, store = [0], threading.Lock(), f"{folder}/platforms"
    places = os.open(folder / "places", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or not isinstance(arguments[0], (str, os.PathLike)):
            return
        path = os.fspath(arguments[0])
        changes = event != "open" or bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
        if not changes or not str(path).startswith(store):
            return
        with lock:
            passed[0] += 1
            os.write(places, f"{_phase(str(path))}\n".encode())
            if passed[0] == kill:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _perform(request: dict[str, Any]) -> None:
    from dataops.snapshots.removal import remove, shred
    from dataops.snapshots.storage.local import LocalStorage
    from dataops.snapshots.store import snapshot_ids
    from support.made_snapshots import changed, layout_in, make_snapshot, some_rows

    layout, number = layout_in(Path(request["folder"])), int(request["number"])

    def capture() -> None:
        rows = changed(some_rows(4000), 0.01, seed=number)
        make_snapshot(layout, {"raw.a": b"".join(rows), "raw.own": b"%d\n" % number}, day=number)

    def chosen() -> str:
        return snapshot_ids(LocalStorage(layout.snapshots))[number]

    deeds: dict[str, Callable[[], object]] = {
        "capture": capture,
        "remove": lambda: remove(layout, [chosen()]),
        "shred": lambda: shred(layout, chosen()),
    }
    _watch(Path(request["folder"]), request["kill"])
    deeds[request["what"]]()


def _serve() -> None:
    import blake3  # noqa: F401
    import cryptography.hazmat.primitives.ciphers.aead  # noqa: F401
    import pyfastcdc  # noqa: F401
    import zstandard  # noqa: F401

    import support.made_snapshots  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            status = 70
            try:
                _perform(request)
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
