"""Bookkeeping of a store: references counted from manifests, and what no snapshot refers to removed.

The only place where chunks are removed. It is done under the lock that every capture holds from before it first looks
whether a chunk is there until its manifest is written: what a capture decides to use again cannot be swept away.
Whoever takes a snapshot away while a capture is under way leaves a trace, and the capture sweeps at its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

from dataops.infra.errors import DataopsError, ResourceError, VerificationError
from dataops.infra.process.removal import remove_tree
from dataops.snapshots import keys
from dataops.snapshots.chunks import FOLDER, ChunkKeys, split
from dataops.snapshots.contents import INDEX, KEY, is_shredded, load_contents
from dataops.snapshots.manifest import FILE, Manifest, UnknownFormatError, blake3_hex
from dataops.snapshots.references import References
from dataops.snapshots.storage.base import Storage
from dataops.snapshots.storage.local import LocalStorage, sync
from dataops.snapshots.store import CENTURIES, PARTIAL, open_manifest, snapshot_ids
from dataops.snapshots.unfinished import chunks_of as chunks_begun
from dataops.snapshots.unfinished import unfinished

REMOVED = f"{PARTIAL}removed"
"""The trace of whoever took a snapshot away; its chunks are to be swept."""


def refresh(store: Path, key_directory: Path, references: References | None = None) -> dict[str, DataopsError]:
    """Brings the references up to date with the manifests in a store; those that lie there, if no others are given.

    Returns:
        The snapshots whose chunks cannot be told, with why not.
    """
    storage, references = LocalStorage(store), references or References(store)
    known, ids = references.known(), snapshot_ids(storage)
    records = {path.name: path for path in unfinished(store)}
    for snapshot in known.keys() - ids - records.keys():
        references.forget(snapshot)
    for name, path in records.items():
        _add_unfinished(references, name, path, known.get(name), key_directory)
    unreadable = {}
    for snapshot in ids:
        text = storage.read(f"{snapshot}/{FILE}") or b""
        if is_shredded(storage, snapshot):
            references.forget(snapshot)
        elif known.get(snapshot) != blake3_hex(text):
            try:
                manifest = open_manifest(storage, snapshot, key_directory)
                references.add(snapshot, blake3_hex(text), chunks_of(storage, manifest, key_directory))
            except UnknownFormatError:
                references.forget(snapshot)  # it has no chunks
            except DataopsError as error:
                unreadable[snapshot] = error
    return unreadable


def _add_unfinished(references: References, name: str, path: Path, known: str | None, key_directory: Path) -> None:
    """Counts what a capture that ended early has in the store as used: the next one goes on from there."""
    try:
        mark = blake3_hex(path.read_bytes())
    except FileNotFoundError:
        return references.forget(name)
    if mark != known:
        store_key = keys.store_key(key_directory)
        chunk_keys, refs = ChunkKeys(store_key), chunks_begun(path, store_key)
        names = {chunk_keys.name(*ref.identity): ref.stored for ref in refs}
        for base in {base for ref in refs for base in split(ref.bases)}:
            names.setdefault(chunk_keys.name(base), LocalStorage(path.parent).size(chunk_keys.name(base)) or 0)
        references.add(name, mark, names.items())


def chunks_of(storage: Storage, manifest: Manifest, key_directory: Path) -> Iterator[tuple[str, int]]:
    """The names and sizes of the chunks of a snapshot."""
    store_key = keys.store_key(key_directory)
    contents, chunk_keys = load_contents(storage, manifest, store_key), ChunkKeys(store_key)
    sizes = {ref.identity: ref.stored for refs in contents.parts.values() for ref in refs}
    for identity in contents.chunks():
        name = chunk_keys.name(*identity)
        yield name, sizes.get(identity) or storage.size(name) or 0


def traces(store: Path) -> list[Path]:
    """What captures and removals leave while they are at work."""
    return sorted(store.glob(f"{PARTIAL}*"))


def destroy_key(store: Path, snapshot: str) -> None:
    """Overwrites the key of a snapshot where it lies, and removes it and the index that it opened.

    What a copying file system or a backup has of it is beyond our reach.
    """
    storage = LocalStorage(store)
    with suppress(FileNotFoundError), open(store / snapshot / KEY, "r+b") as file:
        file.write(os.urandom(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())
    for name in (KEY, INDEX):
        storage.delete(f"{snapshot}/{name}")
    for record in unfinished(store):  # one that died when its snapshot existed already tells what that consists of
        record.unlink(missing_ok=True)
    sync(store / snapshot)


def sweep(store: Path, key_directory: Path) -> int:
    """Removes what no snapshot refers to; gives the bytes that this made free. The caller holds the lock of the store.

    Raises:
        VerificationError: it cannot be told which chunks a snapshot has; nothing is removed.
    """
    try:
        references = References(store)
        unreadable = refresh(store, key_directory, references)
    except ResourceError:  # a full disk is what is to be swept
        references = References(store, lasting=False)
        unreadable = refresh(store, key_directory, references)
    with closing(references):
        return _sweep(store, references, unreadable)


def _sweep(store: Path, references: References, unreadable: Mapping[str, DataopsError]) -> int:
    if unreadable:
        snapshot, error = next(iter(unreadable.items()))
        raise VerificationError(
            f"nothing is removed from the store, since it cannot be told what the snapshot {snapshot} consists of",
            where=error.where,
            hint=f"if it is lost, remove it with `dataops snapshot rm {snapshot}`",
            details=error.what,
        )
    storage, freed = LocalStorage(store), 0
    for snapshot in snapshot_ids(storage):
        if is_shredded(storage, snapshot):  # by one who may have died before the key was gone
            destroy_key(store, snapshot)
    with references.names() as used_names:
        for folder in (f"{FOLDER}/{number:02x}/" for number in range(256)):  # by part, since there may be many
            used = used_names(folder)
            for name, size in storage.names(folder):
                if name not in used:
                    storage.delete(name)
                    freed += size
    whole = set(snapshot_ids(storage))
    for name, size in storage.names(CENTURIES):
        if name.partition("/")[0] not in whole:
            storage.delete(name)
            freed += size
    for leftover in (*storage.drafts(), *traces(store)):
        if leftover.is_dir() and not leftover.is_symlink():
            remove_tree(leftover)
        else:
            with suppress(FileNotFoundError):
                leftover.unlink()
    # whoever was killed before writing what was to lie in them has left empty folders
    for place in (*(store / FOLDER).glob("*"), store / FOLDER):
        with suppress(OSError):
            place.rmdir()
    return freed
