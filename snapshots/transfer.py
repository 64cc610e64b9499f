"""Snapshots carried between the store of a platform and another storage, such as a bucket.

Only chunks that are not there yet are carried, then index and key, and the manifest last. Nothing is decrypted on the
way out; on the way in everything is checked before the manifest is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from dataops.infra.errors import VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.contents import INDEX, KEY, RECAPTURE
from dataops.snapshots.manifest import FILE
from dataops.snapshots.publishing import adding
from dataops.snapshots.storage.base import Storage
from dataops.snapshots.storage.local import LocalStorage
from dataops.snapshots.store import load_manifest, open_manifest, open_snapshot, reading

Done = TypeVar("Done")
CARRIERS = 8
"""Requests at the same time."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What was carried of a snapshot: chunks and their bytes, of so many that it has."""

    snapshot: str
    chunks: int
    bytes: int
    of: int


def push(layout: PlatformLayout, snapshot: str, to: Storage, check: Callable[[], None] = lambda: None) -> Carried:
    """Carries a snapshot of a platform to another storage; one that is there already is left as it is.

    Args:
        check: called before the manifest is written; raises when somebody else may have removed chunks meanwhile.

    Raises:
        VerificationError: a chunk is missing here.
        NotFoundError: there is no such snapshot.
    """
    manifest = load_manifest(layout, snapshot)
    with reading(layout.snapshots, manifest, layout.keys) as source:
        source.check_present()
        carried = _carry(source, to)
        for name in (f"{snapshot}/{INDEX}", f"{snapshot}/{KEY}"):
            to.write(name, _whole(source.storage, name))
        check()
        to.create(f"{snapshot}/{FILE}", _whole(source.storage, f"{snapshot}/{FILE}"))
    return carried


def pull(layout: PlatformLayout, snapshot: str, source: Storage) -> Carried:
    """Carries a snapshot from another storage to the platform; the platform's keys must open it.

    Raises:
        AuthenticationError: the keys of the platform are not here, or are others.
        VerificationError: something is missing there, or was changed.
        NotFoundError: there is no such snapshot there.
    """
    manifest = open_manifest(source, snapshot, layout.keys)
    there = open_snapshot(source, manifest, layout.keys)
    with adding(layout.snapshots, layout.keys):
        here = LocalStorage(layout.snapshots)
        carried = _carry(there, here)
        here.settle(there.keys.name(*chunk) for chunk in there.contents.chunks())
        SnapshotReader(manifest, there.contents, here, there.keys).check()
        names = (f"{snapshot}/{INDEX}", f"{snapshot}/{KEY}")
        for name in names:
            here.write(name, _whole(source, name))
        here.settle(names)
        here.create(f"{snapshot}/{FILE}", _whole(source, f"{snapshot}/{FILE}"))
    return carried


def _carry(snapshot: SnapshotReader, to: Storage) -> Carried:
    names = [snapshot.keys.name(*chunk) for chunk in snapshot.contents.chunks()]

    def carry(name: str) -> int:
        size = snapshot.storage.size(name)
        if size is not None and to.size(name) == size:
            return 0
        data = _whole(snapshot.storage, name)
        to.write(name, data)
        return len(data)

    sizes = in_parallel(carry, names)
    return Carried(snapshot.manifest.id, sum(size > 0 for size in sizes), sum(sizes), len(names))


def in_parallel(work: Callable[[str], Done], names: Iterable[str]) -> list[Done]:
    """Does something with many names, some of them at the same time."""
    with ThreadPoolExecutor(CARRIERS, thread_name_prefix="carry") as pool:
        return list(pool.map(work, names))


def _whole(storage: Storage, name: str) -> bytes:
    data = storage.read(name)
    if data is None:
        raise VerificationError("a part of the snapshot is missing", where=storage.describe(name), hint=RECAPTURE)
    return data
