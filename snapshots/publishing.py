"""A snapshot in the making: it exists, whole, when its manifest is written, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataops.infra.errors import DataopsError, ResourceError
from dataops.snapshots import keys
from dataops.snapshots.contents import INDEX, KEY, Contents, load_contents, seal_index, wrap_key
from dataops.snapshots.manifest import FILE, Manifest, seal
from dataops.snapshots.storage.local import NO_ROOM, LocalStorage
from dataops.snapshots.store import PARTIAL, locked, open_manifest, snapshot_ids
from dataops.snapshots.sweep import refresh, sweep, traces
from dataops.snapshots.unfinished import UNFINISHED
from dataops.snapshots.writer import Place


@dataclass(frozen=True, slots=True)
class Draft:
    """A snapshot in the making.

    Args:
        place: where its data are written.
        key_directory: the platform's keys.
        before: the contents of the newest snapshot.
        key: the snapshot's own.
    """

    place: Place
    key_directory: Path
    before: Contents
    key: bytes = field(repr=False)

    def publish(self, manifest: Manifest, contents: Contents) -> Manifest:
        """Writes index, key and, last, the manifest; from then on the snapshot exists.

        Args:
            manifest: without id and index.
            contents: its chunks, which are on disk already.
        """
        storage = LocalStorage(self.place.folder)
        sealed, entry = seal_index(contents, self.key)
        manifest = replace(manifest, index=entry).named()
        names = (f"{manifest.id}/{INDEX}", f"{manifest.id}/{KEY}")
        wrapped = wrap_key(manifest.id, self.key, self.place.store_key)
        for name, data in zip(names, (sealed, wrapped), strict=True):
            storage.write(name, data)
        storage.settle(names)
        signed = seal(manifest, keys.signing_key(self.key_directory))
        if not storage.create(f"{manifest.id}/{FILE}", signed):
            raise ResourceError(f"there is a snapshot {manifest.id} already", hint="capture again")
        return manifest


@contextmanager
def new_snapshot(store: Path, key_directory: Path, *, whole: bool = True) -> Iterator[Draft]:
    """A snapshot to be made, with the store locked; at the end nothing is left of it unless it was published.

    Args:
        whole: whether it will have all rows; then subsets, which resemble it little, are no help in storing it.

    Raises:
        LockedError: another capture is under way; names its process.
        ResourceError: there is no room left.
    """
    store_key = keys.store_key(key_directory, make=True)
    with adding(store, key_directory):
        before = _before(store, key_directory, store_key, whole)
        yield Draft(Place(store, store_key), key_directory, before, secrets.token_bytes(32))


@contextmanager
def adding(store: Path, key_directory: Path) -> Iterator[None]:
    """Holds the store while chunks are added; at the end those are gone that no snapshot refers to.

    Raises:
        LockedError: another one is at work; names its process.
        ResourceError: there is no room left.
    """
    with locked(store):
        if traces(store):
            _try_to_sweep(store, key_directory)
        # what it has in the store is not all used again
        unfinished_before = any(store.glob(f"{UNFINISHED}*"))
        mark = store / f"{PARTIAL}{os.getpid()}"
        done = False
        try:
            mark.touch(mode=0o600)
            refresh(store, key_directory)
            yield
            done = True
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            hint = "free some disk space and capture again"
            raise ResourceError("no room left for the snapshot", where=str(store), hint=hint) from None
        finally:
            if done and traces(store) == [mark] and not unfinished_before:
                with suppress(DataopsError, OSError):  # it is done again before it is needed
                    refresh(store, key_directory)
                mark.unlink()
            else:
                _try_to_sweep(store, key_directory)


def _try_to_sweep(store: Path, key_directory: Path) -> None:
    """Sweeps; where that fails the traces stay, and the next one to come tries again."""
    with suppress(DataopsError, OSError):
        sweep(store, key_directory)


def _before(store: Path, key_directory: Path, store_key: bytes, whole: bool) -> Contents:
    """The contents of the newest snapshot that can be opened: the new one is likely to resemble it."""
    storage = LocalStorage(store)
    for snapshot in reversed(snapshot_ids(storage)):
        with suppress(DataopsError):
            manifest = open_manifest(storage, snapshot, key_directory)
            if manifest.subset is None or not whole:
                return load_contents(storage, manifest, store_key)
    return Contents({})
