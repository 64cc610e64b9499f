"""What an environment takes of this machine: memory of its processes and blocks on disk."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dataops.envs.sweep import processes_of
from dataops.infra.errors import DataopsError
from dataops.infra.process.engine_usage import used_on_engine

BLOCK = 512
"""Bytes of a block as `stat` counts them, whatever the file system uses."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of memory that its processes have, shared pages divided among those who share them; bytes on disk."""

    memory: int
    disk: int


def footprint(root: Path, *, carried: bool = False) -> Footprint:
    """Measures the environment at `root`.

    Args:
        carried: whether an engine has its data, which is then asked, too; one that does not answer is left out.
    """
    memory, disk = _memory(root), allocated(root)
    if carried:
        with suppress(DataopsError):
            there = used_on_engine(root)
            memory, disk = memory + there[0], disk + there[1]
    return Footprint(memory, disk)


def allocated(root: Path) -> int:
    """The bytes allocated below a folder, as `du` counts them: sparse files by their blocks, linked ones once.

    Blocks that a reflink shares with another file count in both, since only the file system knows.
    """
    seen: set[tuple[int, int]] = set()
    total, folders = 0, [root]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                        if (status.st_dev, status.st_ino) in seen:
                            continue
                        seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
        except OSError:
            continue  # it went while we looked
    return total


def _memory(root: Path) -> int:
    import psutil

    total = 0
    for pid in processes_of(root):
        try:
            total += psutil.Process(pid).memory_full_info().pss
        except (psutil.Error, AttributeError):
            continue
    return total
