"""Removing folders without ever following a link out of them."""

from __future__ import annotations

import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from dataops.infra.process.subvolumes import destroy_subvolume

SIDE_BY_SIDE = 16
"""Removals at once: a disk that is busy answers each after milliseconds, but many of them together as soon as one."""

MANY = 64
"""Files in one folder that are worth to be removed side by side."""


def remove_tree(path: Path) -> None:
    """Removes a folder with everything in it, or a link without what it leads to. Nothing there is no error.

    Folders that were made read-only are opened first.

    Raises:
        OSError: something cannot be removed.
    """
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    if not path.exists():
        return
    if os.geteuid() != 0:
        _open_folders(path)
    if not destroy_subvolume(path):
        _empty(path)
        shutil.rmtree(path)


def _open_folders(path: Path) -> None:
    """Lets the user into every folder that is closed to them."""
    path.chmod(0o700)
    for folder, folders, _ in os.walk(path):
        for name in folders:
            below = os.path.join(folder, name)
            mode = os.lstat(below).st_mode
            if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
                os.chmod(below, 0o700)


def _empty(path: Path) -> None:
    """Removes most of what is in a folder, many things at a time; what resists is left for whoever tells of errors.

    Everything is reached through descriptors of the folders that it is in, so no link that somebody puts in the place
    of a folder meanwhile leads elsewhere.
    """
    with ThreadPoolExecutor(SIDE_BY_SIDE, "removal") as workers:
        for _, folders, files, descriptor in os.fwalk(path, topdown=False):
            # by now the folders hold nothing but files
            if len(folders) > 1:
                list(workers.map(partial(shutil.rmtree, dir_fd=descriptor, ignore_errors=True), folders))
            if len(files) >= MANY:
                list(workers.map(partial(_unlink, descriptor), files))


def _unlink(descriptor: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=descriptor)
    except OSError:
        pass


def size_of(path: Path) -> int:
    """Bytes that a file, or everything below a folder, takes on the disk; links are not followed."""
    try:
        total = path.lstat().st_blocks * 512
    except OSError:
        return 0
    if path.is_symlink() or not path.is_dir():
        return total
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue
    return total
