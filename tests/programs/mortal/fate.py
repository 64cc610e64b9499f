"""Moments of a process that may be its last, counted in a file that all processes of an update share.

The variable FATE says who is to be killed and at which of its moments, as `program:7`; FATE_FOLDER is where the moments
are counted. A file `killed` there tells at which moment it happened.
"""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(os.environ.get("FATE_FOLDER", "."))


@contextmanager
def alone() -> Iterator[None]:
    """Keeps every other process and thread out."""
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def moment(who: str, what: str) -> None:
    """A moment of somebody; the last one if FATE says so."""
    victim, _, number = os.environ.get("FATE", "").partition(":")
    with alone():
        with (FOLDER / who).open("a+") as counted:
            counted.write(what + "\n")
            counted.seek(0)
            count = len(counted.readlines())
        if victim == who and count == int(number):
            (FOLDER / "killed").write_text(what)
            os.kill(os.getpid(), signal.SIGKILL)
