"""Copies of a golden directory that were made ahead, for file systems that can share no blocks: claimed by a rename.

    <place>/golden/<key>/postgres     what they are copies of
    <place>/warm/<key>/<n>/postgres   a copy; `complete` beside it, written last, says of which content

A process of its own makes them one after the other, at idle priority, and does nothing where clones share blocks. Each
takes as much disk as the data do, so there are few, and none that would leave less than a fifth of the disk free.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataops.infra.errors import DataopsError
from dataops.infra.process.cloning import technique_at
from dataops.infra.process.copying import copy_tree
from dataops.infra.process.environment import child_environment
from dataops.infra.process.removal import remove_tree, size_of

MOST = 4
"""Copies of one golden directory at most."""

RESERVE = 0.2
"""The part of the disk that copies leave free."""

COMPLETE = "complete"
_IO_PRIORITY = {"x86_64": 251, "aarch64": 30}
"""The number of the system call `ioprio_set`."""

_IDLE = 3 << 13


def folder_of(golden: Path) -> Path:
    """Where the copies of the data in a golden directory lie; `golden` is `<place>/golden/<key>`."""
    return golden.parent.with_name("warm") / golden.name


def complete_copies(golden: Path) -> list[Path]:
    """The copies that can be claimed: whole, and of what the golden directory holds now."""
    found = []
    for copy in _copies(golden):
        try:
            if (copy / COMPLETE).read_text(encoding="utf-8") == _content(golden) and (copy / "postgres").is_dir():
                found.append(copy)
        except OSError:
            continue  # being made, or claimed this moment
    return found


def claim(source: Path, target: Path) -> bool:
    """Moves a copy of a golden directory's data to where nothing is; False when there is none.

    Args:
        source: the data, `<place>/golden/<key>/postgres`; anything else has no copies.
        target: on the same file system.
    """
    golden = source.parent
    if source.name != "postgres" or golden.parent.name != "golden":
        return False
    for copy in complete_copies(golden):
        try:
            (copy / "postgres").rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EXDEV):
                raise
            continue  # somebody else was faster
        remove_tree(copy)
        return True
    return False


def refill(golden: Path, count: int) -> int:
    """Makes copies until there are so many; how many there are then. Without effect while somebody else is at it.

    What is half made, or of a content that is no more, goes first; so does what is of a golden directory that is gone.
    """
    warm = folder_of(golden)
    warm.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _locked(warm) as mine:
        if not mine:
            return len(complete_copies(golden))
        for orphan in warm.parent.iterdir():
            if orphan.is_dir() and not (golden.parent / orphan.name).is_dir():
                remove_tree(orphan)
        good = set(complete_copies(golden))
        for copy in _copies(golden):
            if copy not in good:
                remove_tree(copy)
        if technique_at(warm) != "copy":
            return len(good)
        wanted, size = min(count, MOST), size_of(golden / "postgres")
        while len(good) < wanted and _is_room(warm, size):
            good.add(_make(golden, warm))
        return len(complete_copies(golden))


def start_refill(golden: Path, count: int) -> None:
    """Has a process of its own make copies, at idle priority; it outlives whoever starts it, and then ends."""
    words = [sys.executable, "-P", "-m", __name__, str(golden), str(count)]
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    os.posix_spawn(words[0], words, child_environment(), file_actions=nothing, setsid=True)


def remove_copies(golden: Path) -> None:
    """Removes every copy of a golden directory that is being removed."""
    remove_tree(folder_of(golden))


def _make(golden: Path, warm: Path) -> Path:
    number = max((int(copy.name) for copy in _copies(golden)), default=0) + 1
    copy = warm / str(number)
    copy.mkdir(mode=0o755)
    copy_tree(golden / "postgres", copy / "postgres")
    (copy / "postgres").chmod(0o700)
    draft = copy / f"{COMPLETE}.new"
    draft.write_text(_content(golden), encoding="utf-8")
    draft.replace(copy / COMPLETE)
    return copy


def _copies(golden: Path) -> list[Path]:
    try:
        return sorted((p for p in folder_of(golden).iterdir() if p.name.isdecimal()), key=lambda path: int(path.name))
    except FileNotFoundError:
        return []


def _content(golden: Path) -> str:
    """What tells the content of a golden directory from that of another of the same name."""
    status = (golden / "golden.json").stat()
    return f"{status.st_ino} {status.st_ctime_ns} {status.st_size}"


def _is_room(place: Path, size: int) -> bool:
    usage = shutil.disk_usage(place)
    return usage.free - size >= usage.total * RESERVE


@contextmanager
def _locked(warm: Path) -> Iterator[bool]:
    """Holds the lock of one golden directory's copies, or says that somebody else does."""
    with open(warm.with_name(f".{warm.name}.lock"), "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _become_idle() -> None:
    """Lets everybody else have the processors and the disk first."""
    os.nice(19)
    if number := _IO_PRIORITY.get(platform.machine()):
        ctypes.CDLL(None, use_errno=True).syscall(number, 1, 0, _IDLE)


if __name__ == "__main__":
    os.chdir("/")  # it must not keep a file system busy on which it does not work
    _become_idle()
    try:
        refill(Path(sys.argv[1]), int(sys.argv[2]))
    except (DataopsError, OSError):
        sys.exit(1)  # nobody waits for it: whoever finds no copy makes one
