"""Chunks read back: opened, unpacked and compared with their hash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dataops.infra.errors import NotFoundError, VerificationError
from dataops.snapshots.chunks import ChunkKeys, hash_of, split, unpack
from dataops.snapshots.contents import OWN_FILES, RECAPTURE, Contents
from dataops.snapshots.manifest import FILE, Manifest
from dataops.snapshots.storage.base import Storage
from dataops.snapshots.without_rows import base_of


class MissingChunkError(VerificationError):
    """A chunk is not in the store."""


class ChunkReader:
    """Reads chunks of a storage. May be used by several threads."""

    def __init__(self, storage: Storage, keys: ChunkKeys) -> None:
        self._storage = storage
        self._keys = keys

    def read(self, chunk: bytes, bases: bytes = b"") -> bytes:
        """The plain text of the chunk with a hash.

        Args:
            chunk: its hash.
            bases: the hashes of those that it is stored as a difference to.

        Raises:
            VerificationError: it, or one of its bases, is missing or was changed.
        """
        from cryptography.exceptions import InvalidTag

        name = self._keys.name(chunk, bases)
        stored = self._storage.read(name)
        if stored is None:
            raise MissingChunkError(
                "a chunk of the snapshot is missing", where=self._storage.describe(name), hint=RECAPTURE
            )
        try:
            dictionary = b"".join(map(self.read, split(bases))) if bases else None
            plain = unpack(self._keys.unseal(chunk, bases, stored), dictionary)
        except (InvalidTag, ValueError):
            plain = None
        if plain is None or hash_of(plain) != chunk:
            raise VerificationError(
                "a chunk of the snapshot does not have the recorded content",
                where=self._storage.describe(name),
                hint=RECAPTURE,
            )
        return plain


@dataclass(frozen=True, slots=True)
class SnapshotReader:
    """A snapshot whose data can be read. May be used by several threads.

    Args:
        manifest: its manifest, checked.
        contents: its chunks.
        storage: where they lie.
        keys: what opens them.
    """

    manifest: Manifest
    contents: Contents
    storage: Storage
    keys: ChunkKeys

    def read(self, label: str) -> Iterator[bytes]:
        """Some data of the snapshot, in pieces that are checked before they are passed on; see `Manifest.data`.

        Raises:
            VerificationError: a chunk is missing or was changed.
            NotFoundError: the snapshot was removed meanwhile.
        """
        reader = ChunkReader(self.storage, self.keys)
        for ref in self.contents.parts[label]:
            try:
                yield reader.read(*ref.identity)
            except MissingChunkError:
                self._still_there()
                raise

    def check_present(self) -> None:
        """Looks whether every chunk is there and has the recorded size, which is quick; contents are read later.

        Raises:
            VerificationError: one is not, or there are files that do not belong to the snapshot.
            NotFoundError: the snapshot was removed meanwhile.
        """
        folder = base_of(self.manifest.id)
        found = {name for name, _ in self.storage.names(f"{folder}/")}
        for name in sorted(found - {f"{folder}/{own}" for own in OWN_FILES}):
            what = f"among the files of the snapshot {self.manifest.id} is one that does not belong there: {name}"
            raise VerificationError(what, where=self.storage.describe(name), hint="remove it")
        sizes = {ref.identity: ref.stored for refs in self.contents.parts.values() for ref in refs}
        for identity in sorted(self.contents.chunks()):
            name = self.keys.name(*identity)
            size, expected = self.storage.size(name), sizes.get(identity)
            if size is None:
                self._still_there()
                what = f"a chunk of the snapshot {self.manifest.id} is missing"
            elif expected not in (None, size):
                what = f"a chunk of the snapshot {self.manifest.id} has another size than recorded"
            else:
                continue
            raise VerificationError(what, where=self.storage.describe(name), hint=RECAPTURE)

    def check(self) -> None:
        """Reads every chunk.

        Raises:
            VerificationError: one is missing or was changed.
        """
        reader = ChunkReader(self.storage, self.keys)
        for identity in sorted(self.contents.chunks()):
            reader.read(*identity)

    def _still_there(self) -> None:
        if self.storage.size(f"{base_of(self.manifest.id)}/{FILE}") is None:
            raise NotFoundError(f"the snapshot {self.manifest.id} was removed while it was read", hint=RECAPTURE)
