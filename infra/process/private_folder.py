"""Folders below `/tmp` for sockets of a process, which nobody else enters and which do not pile up.

A process locks its folder as long as it lives. What one that was killed left behind is known by its free lock, and is
removed by the next process that makes such a folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PREFIX = "dataops-rpc-"
LOCK = "lock"

YOUNG = 60.0
"""Seconds in which a folder without a held lock may be one that is being made."""

_LONGEST_PATH = 100
"""Of a unix socket's path, which the kernel bounds at 107 bytes."""


@dataclass(frozen=True, slots=True)
class PrivateFolder:
    """A folder of mode 0700 that belongs to this process until `remove`."""

    path: Path
    _lock: int

    @classmethod
    def make(cls, longest_name: int, base: Path | None = None) -> PrivateFolder:
        """A new folder, after the removal of what killed processes left.

        Args:
            longest_name: bytes of the longest file name that a socket in it has.
            base: where; by default the folder for temporary files, or /tmp where that has too long a path.
        """
        base = base or Path(tempfile.gettempdir())
        if len(os.fsencode(base)) + len(PREFIX) + 10 + longest_name > _LONGEST_PATH:
            base = Path("/tmp")
        clear(base)
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(path, lock)

    def remove(self) -> None:
        """Removes it with all that is in it; may be called again."""
        if self.path.is_dir():
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)


def clear(base: Path) -> None:
    """Removes the folders of this user below `base` whose processes are gone."""
    for folder in base.glob(f"{PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > YOUNG and not _is_locked(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_locked(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
