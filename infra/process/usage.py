"""Folders that somebody works with: shared locks beside them, and the removal of those that nobody needs any more.

Beside a folder `x`, `.x.use` is locked by those who use it, and `.x.retired` says that it is to be removed by the last
of them. Locks go with the processes that hold them, however these end.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from dataops.infra.process.commands import CommandError, run_command


def hold(folder: Path) -> int:
    """Marks a folder as used and returns a descriptor; closing it, in all who inherited it, ends the use."""
    while True:
        descriptor = os.open(_lock(folder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            if os.path.samestat(os.stat(_lock(folder)), os.fstat(descriptor)):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)  # whoever removed the folder meanwhile took this file away


def is_used(folder: Path) -> bool:
    """Whether somebody uses the folder now."""
    try:
        descriptor = os.open(_lock(folder), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def retire(folder: Path) -> bool:
    """Leaves the removal of a folder that is used to its users; False when nobody uses it, and nothing was done."""
    if not is_used(folder):
        _lock(folder).unlink(missing_ok=True)
        return False
    _mark(folder).touch()
    return True


def reinstate(folder: Path) -> None:
    """Takes back that a folder is to be removed."""
    _mark(folder).unlink(missing_ok=True)


def remove_retired(root: Path) -> list[Path]:
    """Removes the retired folders two levels below `root` that nobody uses; returns them.

    A checkout that holds work that is in no commit stays.
    """
    removed = []
    for mark in sorted(root.glob("*/.*.retired")):
        folder = mark.with_name(mark.name.removeprefix(".").removesuffix(".retired"))
        if is_used(folder) or _has_work(folder):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        _lock(folder).unlink(missing_ok=True)
        mark.unlink(missing_ok=True)
        removed.append(folder)
    return removed


def _has_work(folder: Path) -> bool:
    if not (folder / ".git").is_file():
        return False
    try:
        words = ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=all"]
        return bool(run_command(words, purpose="look for uncommitted work").stdout)
    except CommandError:
        return False


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.use")


def _mark(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.retired")
