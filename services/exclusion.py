"""At most one run of a pipeline at a time: a lock that the kernel lets go when nothing of the run is left."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataops.infra.errors import LockedError
from dataops.infra.platform.records import read_record, unwritable

PATIENCE = 0.5
"""Seconds for which a lock is tried: whoever only looks at it holds it for a moment."""


@contextmanager
def exclusive_run(runner: Path, pipeline: str, holder: dict[str, Any]) -> Iterator[int]:
    """Holds a pipeline's lock; gives its descriptor, which processes that inherit it hold as well.

    Args:
        runner: `EnvironmentLayout.runner`.
        holder: `run`, `user`, `since`, `pid`, `start` (of the process), `trigger`: what others are told.

    Raises:
        LockedError: a run of the pipeline is going on; it names the run, who started it and since when.
        ResourceError: the lock cannot be written.
    """
    path = _path(runner, pipeline)
    try:
        runner.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        _lock(descriptor, path, pipeline)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        except OSError as error:
            raise unwritable(path, error) from error
        yield descriptor
    finally:
        os.close(descriptor)


def holder_of(runner: Path, pipeline: str) -> dict[str, Any] | None:
    """Who runs a pipeline now: see `exclusive_run`, empty when they have not said yet; None when nobody does."""
    path = _path(runner, pipeline)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return read_record(path) or {}
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, pipeline: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                break
        time.sleep(0.02)
    held = read_record(path) or {}
    since = str(held.get("since", "?"))[:16].replace("T", " ")
    raise LockedError(
        f"it is running: run {held.get('run', '?')}, begun by {held.get('user', '?')} at {since}Z "
        f"(process {held.get('pid', '?')})",
        where=f"pipeline {pipeline}",
        hint=f"wait for it, or end it with `kill {held.get('pid', 'PID')}`; runs of a pipeline never overlap",
    )


def _path(runner: Path, pipeline: str) -> Path:
    return runner / f"{pipeline}.lock"
