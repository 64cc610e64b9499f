"""A real file system with little room, where whoever runs the tests may mount one."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Ballast:
    """What takes up room on the small disk."""

    disk: Path

    @property
    def _file(self) -> Path:
        return self.disk / ".ballast"

    def fill(self, left: int) -> None:
        """Leaves so many megabytes."""
        found = os.statvfs(self.disk)
        size = found.f_bavail * found.f_frsize - left * MEGABYTE
        with open(self._file, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def clear(self) -> None:
        """Gives the room back."""
        self._file.unlink()


@cache
def small_disks() -> bool:
    """Whether this user may mount one here."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
        )
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return done.returncode == 0


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Ballast]:
    """Mounts a disk of that size on an existing, empty folder; it is gone at the end."""
    options = f"size={megabytes}m,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield Ballast(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
