"""Clones of data directories by the best technique that a place has, best first:

    snapshot   of a btrfs subvolume: at once, whatever the number of files
    reflink    of each file (XFS, btrfs): shares every block
    warm       a copy that was made ahead, taken by renaming it; see `warm_copies`
    copy       of every byte

A place is tried with real data: an empty file can always be "cloned". overlayfs is none of them: Postgres opens every
file for writing, and then the first query copies the whole database.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from dataops.infra.process.copying import CopyReport, copy_tree
from dataops.infra.process.subvolumes import destroy_subvolume, make_subvolume, snapshot_subvolume

TECHNIQUES = ("snapshot", "reflink", "warm", "copy")
"""Best first."""

PROBE = 1 << 18
"""Bytes of the file that a place is tried with."""


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
    """How clones are made within a folder, tried with a file that holds data; leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix=".dataops-probe-", dir=place) as scratch:
        source, target = Path(scratch, "source"), Path(scratch, "target")
        make_clonable(source)
        (source / "data").write_bytes(os.urandom(PROBE))
        technique = clone_tree(source, target).technique
        for folder in (source, target):
            destroy_subvolume(folder)
        return technique


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
