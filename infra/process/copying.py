"""Copying a directory tree as cheaply as the file system allows.

`reflink` shares the blocks until one side writes (XFS, btrfs, bcachefs), `copy` has the kernel copy them, several files
at once. Whether reflinks work is tried with a real file of the tree: an empty one can always be "cloned".
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import ResourceError

FICLONE = 0x40049409
NO_REFLINK = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}
NO_COPY_RANGE = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}
CHUNK = 1 << 30
WORKERS = 4


@dataclass(frozen=True, slots=True)
class CopyReport:
    """How a tree was copied; `technique` is `reflink` or `copy`, `bytes` the apparent size of its files."""

    technique: str
    files: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _File:
    source: Path
    target: Path
    status: os.stat_result


def copy_tree(source: Path, target: Path, *, skip: Collection[str] = (), writable: bool = True) -> CopyReport:
    """Copies what is below `source` into `target`, which is made when missing; existing files are overwritten.

    Modes and, as root, owners are kept. Sockets and pipes are left out. Nothing is synced to disk.

    Args:
        skip: paths relative to `source` that are left out.
        writable: let the owner write the copies, even where `source` is read-only.

    Raises:
        ResourceError: `source` is missing, or there is no room left.
    """
    began = time.monotonic()
    if not source.is_dir():
        raise ResourceError(f"there is nothing to copy: {source} is no directory")
    try:
        directories, files = _scan(source, target, frozenset(skip))
        for directory in directories:
            directory.target.mkdir(mode=0o700, parents=True, exist_ok=True)
        technique = "reflink" if _reflinks_work(files) else "copy"
        copy = _reflink if technique == "reflink" else _copy
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="copy") as pool:
            # large files first, so that none is left alone at the end
            ordered = sorted(files, key=lambda file: -file.status.st_size)
            for _ in pool.map(lambda file: _one(file, copy, writable), ordered):
                pass
        for directory in reversed(directories):
            _dress(directory, 0o700 if writable else 0)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceError(f"no room left to copy {source} to {target}", hint="free some disk space") from error
        raise
    total = sum(file.status.st_size for file in files)
    return CopyReport(technique, len(files), total, time.monotonic() - began)


def _scan(source: Path, target: Path, skip: frozenset[str]) -> tuple[list[_File], list[_File]]:
    directories = [_File(source, target, source.stat())]
    files: list[_File] = []
    waiting = [("", source)]
    while waiting:
        prefix, folder = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                relative = prefix + entry.name
                if relative in skip:
                    continue
                found = _File(Path(entry.path), target / relative, entry.stat(follow_symlinks=False))
                if stat.S_ISDIR(found.status.st_mode):
                    directories.append(found)
                    waiting.append((relative + "/", found.source))
                elif stat.S_ISREG(found.status.st_mode) or stat.S_ISLNK(found.status.st_mode):
                    files.append(found)
    return directories, files


def _reflinks_work(files: list[_File]) -> bool:
    """Tries one file with data in it, at its own place."""
    probe = next((f for f in files if stat.S_ISREG(f.status.st_mode) and f.status.st_size > 0), None)
    if probe is None:
        return False
    probe.target.unlink(missing_ok=True)
    try:
        _with_files(probe, _reflink)
    except OSError as error:
        if error.errno not in NO_REFLINK:
            raise
        return False
    with open(probe.source, "rb") as old, open(probe.target, "rb") as new:
        return old.read(1 << 16) == new.read(1 << 16)


def _one(file: _File, copy: Callable[[int, int, int], None], writable: bool) -> None:
    if stat.S_ISLNK(file.status.st_mode):
        file.target.unlink(missing_ok=True)
        file.target.symlink_to(os.readlink(file.source))
        if os.geteuid() == 0:
            os.chown(file.target, file.status.st_uid, file.status.st_gid, follow_symlinks=False)
        return
    file.target.unlink(missing_ok=True)
    _with_files(file, copy)
    _dress(file, 0o200 if writable else 0)


def _with_files(file: _File, copy: Callable[[int, int, int], None]) -> None:
    source = os.open(file.source, os.O_RDONLY)
    try:
        target = os.open(file.target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            copy(source, target, file.status.st_size)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _dress(file: _File, extra: int) -> None:
    if os.geteuid() == 0:
        os.chown(file.target, file.status.st_uid, file.status.st_gid)
    os.chmod(file.target, stat.S_IMODE(file.status.st_mode) | extra)


def _reflink(source: int, target: int, size: int) -> None:
    fcntl.ioctl(target, FICLONE, source)


def _copy(source: int, target: int, size: int) -> None:
    done = 0
    try:
        while moved := os.copy_file_range(source, target, CHUNK):
            done += moved
    except OSError as error:
        if error.errno not in NO_COPY_RANGE or done:
            raise
        while moved := os.sendfile(target, source, done, CHUNK):
            done += moved
