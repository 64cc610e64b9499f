"""Clones of data directories by the best technique that a place has, best first:

    snapshot   of a btrfs subvolume: at once, whatever the number of files
    reflink    of each file (XFS, btrfs): shares every block
    warm       a copy that was made ahead, taken by renaming it; see `warm_copies`
    copy       of every byte

A place is tried with real data: an empty file can always be "cloned". overlayfs is none of them: Postgres opens every
file for writing, and then the first query copies the whole database.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from dataops.infra.process.copying import CopyReport, copy_tree
from dataops.infra.process.removal import remove_tree
from dataops.infra.process.subvolumes import destroy_subvolume, make_subvolume, snapshot_subvolume

TECHNIQUES = ("snapshot", "reflink", "warm", "copy")
"""Best first."""

PROBE = 1 << 18
"""Bytes of the file that a place is tried with."""

_PROBES = ".dataops-probe-"


def make_clonable(path: Path) -> None:
    """Makes an empty folder that clones are to be taken of: where it can be, a subvolume."""
    if not make_subvolume(path):
        path.mkdir(mode=0o700)


def clone_tree(source: Path, target: Path, *, skip: Collection[str] = ()) -> CopyReport:
    """Clones what is below `source` to `target`, which does not exist yet or is empty; the owner may write to it.

    Args:
        skip: paths relative to `source` that are left out.

    Raises:
        ResourceError: `source` is missing, or there is no room left.
    """
    began = time.monotonic()
    if source.is_dir() and _free(target) and snapshot_subvolume(source, target):
        for path in skip:
            (target / path).unlink(missing_ok=True)
        files, size = _open_up(target)
        return CopyReport("snapshot", files, size, time.monotonic() - began)
    return copy_tree(source, target, skip=skip)


def technique_at(place: Path) -> str:
    """How clones are made within a folder, tried with a file that holds data.

    Leaves nothing behind, and removes what one that was killed has left.
    """
    for left in place.glob(f"{_PROBES}*"):
        with _held(left) as mine:
            if mine:
                _remove_probe(left)
    with _new_probe(place) as probe:
        source, target = probe / "source", probe / "target"
        make_clonable(source)
        (source / "data").write_bytes(os.urandom(PROBE))
        return clone_tree(source, target).technique


@contextmanager
def _new_probe(place: Path) -> Iterator[Path]:
    """A folder of our own, removed at the end; its lock tells others that whoever made it lives."""
    while True:
        probe = Path(tempfile.mkdtemp(prefix=_PROBES, dir=place))
        with _held(probe) as mine:
            if not mine:
                continue  # somebody took it for left before it was locked
            try:
                yield probe
            finally:
                _remove_probe(probe)
            return


@contextmanager
def _held(probe: Path) -> Iterator[bool]:
    """Holds the lock of a folder; False when another process does, or when the folder is gone."""
    try:
        descriptor = os.open(probe, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = probe.is_dir()
    except BlockingIOError:
        mine = False
    try:
        yield mine
    finally:
        os.close(descriptor)


def _remove_probe(probe: Path) -> None:
    for folder in (probe / "source", probe / "target"):
        if folder.is_dir():
            destroy_subvolume(folder)
    remove_tree(probe)


def _free(target: Path) -> bool:
    """Whether nothing is at a path; an empty folder there is removed."""
    try:
        target.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return target.parent.is_dir()


def _open_up(root: Path) -> tuple[int, int]:
    """Lets the owner write to everything below a folder; how many files there are, and their size."""
    files = size = 0
    root.chmod(0o700)
    for folder, folders, names in os.walk(root):
        for name in folders:
            os.chmod(os.path.join(folder, name), 0o700)
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            files, size = files + 1, size + status.st_size
            if not os.path.islink(path):
                os.chmod(path, status.st_mode & 0o7777 | 0o200)
    return files, size
