"""Other processes, by their id: whether they live, who they are, and ending them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path

import psutil

from dataops.infra.errors import DeadlineError

PAUSE = 0.02

PROGRAM = "DATAOPS_PROGRAM"
"""The variable by which a program's process can be told from others: the path of its specification."""


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and only waits to be collected does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def started(pid: int) -> float | None:
    """When a process began, in seconds since the epoch; None when there is none. With the id it names it for good."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def works_in(pid: int, directory: Path) -> bool:
    """Whether the process lives and has `directory` as its working directory; no process has an id below 1."""
    if pid < 1:
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return os.path.samefile(process.cwd(), directory)
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return False


def command_line(pid: int) -> list[str]:
    """The program and arguments of a process; empty when there is none."""
    try:
        return list(psutil.Process(pid).cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def wait_until(done: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Waits until `done` says so.

    Raises:
        DeadlineError: it did not within `seconds`; begins with `otherwise`.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise DeadlineError(f"{otherwise} within {seconds:g} s")
        time.sleep(PAUSE)


def wait_gone(pid: int, seconds: float) -> bool:
    """Waits until a process is gone; False when it still runs after `seconds`."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def end_process(pid: int, first: signal.Signals = signal.SIGTERM, seconds: float = 10) -> None:
    """Sends `first`, waits up to `seconds`, then kills. Ends one process; one that is gone is no error."""
    for number in (first, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_gone(pid, seconds):
            return


def kill_working_in(directory: Path, names: Collection[str]) -> None:
    """Kills the processes of these names whose working directory is `directory`, and waits until all are gone.

    Raises:
        psutil.TimeoutExpired: one of them is still there after 10 s.
    """
    for process in psutil.process_iter():
        try:
            if process.name() in names and process.cwd() == str(directory.resolve()):
                process.kill()
                process.wait(10)
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue


def runs_program(pid: int, specification: Path) -> bool:
    """Whether the process lives and was started by `launch.py` from this specification."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.environ().get(PROGRAM) == str(specification))
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return False
