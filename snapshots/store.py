"""The snapshots of a platform: found, checked, made and published.

<store>/
├── chunks/0a/1b2c…        pieces of data, encrypted, each once for all snapshots that have it; see `chunks`
├── <id>/index, <id>/key   which chunks the snapshot consists of, and the key to that; see `contents`
├── <id>/manifest.json     written last: what has one is whole, what has none does not exist
├── <id>/pin, <id>/shredded               that it is to be kept
├── .references.sqlite     which snapshot has which chunks; see `references`
├── .partial-<process>     a capture is under way, or has died
└── .lock                  held by whoever captures or removes chunks
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from dataops.infra.errors import LockedError, NotFoundError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.process.processes import is_alive
from dataops.snapshots import keys
from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.chunks import ChunkKeys
from dataops.snapshots.contents import Contents, is_shredded, load_contents
from dataops.snapshots.manifest import FILE, POST_DATA, PRE_DATA, Manifest, unseal
from dataops.snapshots.storage.base import Storage
from dataops.snapshots.storage.local import LocalStorage
from dataops.snapshots.without_rows import base_of, id_without_rows, without_rows

PARTIAL = ".partial-"
LOCK = ".lock"
LISTED = "`dataops snapshot ls` lists them"
CLEARING_SECONDS = 10
CENTURIES = "2"
"""How ids begin, and nothing else in a store does."""
ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}")


def list_snapshots(layout: PlatformLayout) -> list[Manifest]:
    """The manifests of all snapshots, oldest first; signatures are checked, data are not read.

    Raises:
        VerificationError: a manifest is torn or was tampered with.
    """
    return [load_manifest(layout, name) for name in snapshot_ids(LocalStorage(layout.snapshots))]


def newest(layout: PlatformLayout) -> Manifest:
    """The manifest of the newest snapshot that has all rows; of the newest subset where there are only subsets.

    Those that were shredded are passed over.

    Raises:
        NotFoundError: there is none.
        VerificationError: it is torn or was tampered with.
    """
    storage = LocalStorage(layout.snapshots)
    found = newest_in(storage, layout.keys)
    if found is None:
        raise NotFoundError(
            "every snapshot was shredded" if snapshot_ids(storage) else "there is no snapshot yet",
            hint="take one with `dataops snapshot capture --env production`",
        )
    return found


def newest_in(storage: Storage, key_directory: Path) -> Manifest | None:
    """As `newest`, for any storage and a directory of keys; None where there is none."""
    subset = None
    for name in reversed(snapshot_ids(storage)):
        if is_shredded(storage, name):
            continue
        manifest = open_manifest(storage, name, key_directory)
        if manifest.subset is None:
            return manifest
        subset = subset or manifest
    return subset


def load_manifest(layout: PlatformLayout, snapshot: str) -> Manifest:
    """The manifest of a snapshot, its signature checked.

    Raises:
        NotFoundError: there is no such snapshot.
        VerificationError: the manifest is torn or was tampered with.
    """
    return open_manifest(LocalStorage(layout.snapshots), snapshot, layout.keys)


def open_manifest(storage: Storage, snapshot: str, key_directory: Path) -> Manifest:
    """As `load_manifest`, for any storage and a directory of keys."""
    if snapshot == id_without_rows(snapshot):
        return without_rows(open_manifest(storage, base_of(snapshot), key_directory))
    name = f"{snapshot}/{FILE}"
    text = storage.read(name) if ID.fullmatch(snapshot) else None
    if text is None:
        raise NotFoundError(f"there is no snapshot `{snapshot}`", hint=LISTED)
    where = storage.describe(name)
    manifest = unseal(text, keys.public_key(key_directory), where=where)
    if manifest.id != snapshot:
        raise VerificationError(f"the manifest is that of the snapshot {manifest.id}", where=where)
    return manifest


def open_snapshot(storage: Storage, manifest: Manifest, key_directory: Path) -> SnapshotReader:
    """Opens a snapshot to read its data.

    Raises:
        NotFoundError: it was removed meanwhile, or shredded.
        AuthenticationError: the store key is not here, or is another one.
        VerificationError: its index is missing or damaged.
    """
    store_key = keys.store_key(key_directory)
    return SnapshotReader(manifest, load_contents(storage, manifest, store_key), storage, ChunkKeys(store_key))


@contextmanager
def reading(store: Path, manifest: Manifest, key_directory: Path) -> Iterator[SnapshotReader]:
    """As `open_snapshot`, for a store on this machine: the snapshot is not removed while somebody reads it.

    Raises:
        NotFoundError: it was removed meanwhile.
    """
    with keeping(store, manifest.id):
        storage = LocalStorage(store)
        if manifest.id == base_of(manifest.id):
            yield open_snapshot(storage, manifest, key_directory)
            return
        whole = open_snapshot(storage, open_manifest(storage, base_of(manifest.id), key_directory), key_directory)
        schema = {label: whole.contents.parts[label] for label in (PRE_DATA, POST_DATA)}
        yield replace(whole, manifest=manifest, contents=Contents(dict.fromkeys(manifest.data(), ()) | schema))


@contextmanager
def keeping(store: Path, snapshot: str) -> Iterator[None]:
    """Keeps a snapshot from being removed meanwhile.

    Raises:
        NotFoundError: it was removed already.
    """
    path = store / base_of(snapshot) / FILE
    try:
        held = open(path, "rb")
    except FileNotFoundError:
        raise NotFoundError(f"there is no snapshot `{snapshot}`", hint=LISTED) from None
    with held:
        fcntl.flock(held, fcntl.LOCK_SH)
        if not path.exists():
            raise NotFoundError(f"the snapshot {snapshot} was removed just now", hint=LISTED)
        yield


def snapshot_ids(storage: Storage) -> list[str]:
    """The ids of all snapshots that are whole, oldest first."""
    found = (name.partition("/") for name, _ in storage.names(CENTURIES))
    return [folder for folder, _, file in found if file == FILE and ID.fullmatch(folder)]


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Holds the store against other captures and against whoever removes chunks.

    Raises:
        LockedError: another one is at work; names its process.
    """
    if not store.is_dir():
        store.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(store / LOCK, "a+") as lock:
        _lock(lock, store)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


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
                    f"another capture or removal is under way (process {holder or 'unknown'})", where=str(store)
                ) from None
            time.sleep(0.02)
