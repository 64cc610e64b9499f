"""The snapshots of a platform: directories named by id, each complete as soon as it is there.

A snapshot is made under a name that starts with a dot and renamed when its manifest has been written, so whatever
has an id is whole. One capture at a time: it holds the lock of the store and first removes what a dead one left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dataops.infra.errors import LockedError, NotFoundError, ResourceError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.process.processes import is_alive
from dataops.snapshots import keys
from dataops.snapshots.manifest import FILE, Manifest, StoredFile, unseal

PARTIAL = ".partial-"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
CLEARING_SECONDS = 10
_ID = re.compile(r"^\d{8}T\d{6}Z-[0-9a-f]{12}$")


def list_snapshots(layout: PlatformLayout) -> list[Manifest]:
    """The manifests of all snapshots, oldest first; signatures are checked, data files are not read.

    Raises:
        VerificationError: a manifest is torn or was tampered with.
    """
    return [load_manifest(layout, name) for name in _ids(layout.snapshots)]


def newest(layout: PlatformLayout) -> Manifest:
    """The manifest of the newest snapshot.

    Raises:
        NotFoundError: there is none.
        VerificationError: it is torn or was tampered with.
    """
    names = _ids(layout.snapshots)
    if not names:
        raise NotFoundError(
            "there is no snapshot yet", hint="take one with `dataops snapshot capture --env production`"
        )
    return load_manifest(layout, names[-1])


def load_manifest(layout: PlatformLayout, snapshot: str, *, files: bool = False) -> Manifest:
    """The manifest of a snapshot, its signature checked; with `files` every data file is hashed, too.

    Raises:
        NotFoundError: there is no such snapshot.
        VerificationError: the manifest or a file is torn, missing or was tampered with.
    """
    return open_snapshot(layout.snapshots, snapshot, layout.keys, files=files)


def open_snapshot(store: Path, snapshot: str, key_directory: Path, *, files: bool = False) -> Manifest:
    """As `load_manifest`, for a store and a directory of keys that are known by path."""
    directory = store / snapshot
    if not _ID.match(snapshot) or not (directory / FILE).is_file():
        raise NotFoundError(f"there is no snapshot `{snapshot}`", hint="`dataops snapshot ls` lists them")
    path = directory / FILE
    manifest = unseal(path.read_bytes(), keys.public_key(key_directory), where=str(path))
    if manifest.id != snapshot:
        raise VerificationError(f"the manifest is that of the snapshot {manifest.id}", where=str(path))
    if files:
        for file in manifest.files():
            check_file(directory, file)
    return manifest


def check_file(directory: Path, file: StoredFile) -> None:
    """Hashes one file of a snapshot.

    Raises:
        VerificationError: it is missing or does not have the recorded content.
    """
    from blake3 import blake3

    path = directory / file.file
    try:
        hasher = blake3()
        hasher.update_mmap(str(path))
    except FileNotFoundError:
        raise VerificationError("a file of the snapshot is missing", where=str(path)) from None
    if hasher.hexdigest() != file.hash:
        raise VerificationError(
            "a file of the snapshot does not have the recorded content",
            where=str(path),
            hint="take a new snapshot with `dataops snapshot capture`",
        )


@contextmanager
def new_snapshot(store: Path) -> Iterator[Path]:
    """An empty directory to make a snapshot in, with the store locked; gone at the end unless it was published.

    Raises:
        LockedError: another capture is under way; names its process.
        ResourceError: there is no room left.
    """
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(store / ".lock", "a+") as lock:
        _lock(lock, store)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        for leftover in store.glob(f"{PARTIAL}*"):
            _clear(leftover)
        directory = store / f"{PARTIAL}{os.getpid()}"
        directory.mkdir(mode=0o700)
        try:
            yield directory
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            hint = "free some disk space and capture again"
            raise ResourceError("no room left for the snapshot", where=str(store), hint=hint) from None
        finally:
            if directory.exists():
                _clear(directory)


def _lock(lock: IO[str], store: Path) -> None:
    """Takes the lock. If its holder was killed just now, a child that it was starting may hold it for a moment."""
    deadline = time.monotonic() + CLEARING_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            if not holder.isdigit() or is_alive(int(holder)) or time.monotonic() > deadline:
                raise LockedError(
                    f"another capture is under way (process {holder or 'unknown'})", where=str(store)
                ) from None
            time.sleep(0.02)


def _clear(directory: Path) -> None:
    """Removes what a capture left. If it was killed just now, its workers may write for another moment."""
    deadline = time.monotonic() + CLEARING_SECONDS
    while True:
        try:
            return shutil.rmtree(directory)
        except FileNotFoundError:
            return None
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def publish(directory: Path, manifest: Manifest, sealed: bytes) -> Path:
    """Writes the manifest and gives the finished directory its name; from then on the snapshot exists."""
    for folder in (path for path in directory.rglob("*") if path.is_dir()):
        _sync(folder)
    path = directory / FILE
    with open(path, "xb") as file:
        file.write(sealed)
        file.flush()
        os.fsync(file.fileno())
    _sync(directory)
    target = directory.parent / manifest.id
    directory.rename(target)
    _sync(target.parent)
    return target


def _ids(store: Path) -> list[str]:
    try:
        return sorted(path.name for path in store.iterdir() if _ID.match(path.name))
    except FileNotFoundError:
        return []


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
