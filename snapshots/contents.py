"""The contents of a snapshot: which chunks its data consist of, in an index encrypted under the snapshot's own key.

    <id>/key     the snapshot's key, random, encrypted under a key derived from the platform's store key
    <id>/index   the list of chunks, encrypted under the snapshot's key

Once `<id>/key` is destroyed nobody can tell, with whatever keys of the platform, what the snapshot consisted of. Its
chunks that no other snapshot has are removed then; those that others have stay readable through these.
"""

from __future__ import annotations

import base64
import json
import secrets
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dataops.infra.errors import AuthenticationError, NotFoundError, VerificationError
from dataops.snapshots.chunks import HASH, LEVEL, NONCE, ChunkKeys, ChunkRef, derive, split
from dataops.snapshots.manifest import FILE, IndexEntry, Manifest, blake3_hex
from dataops.snapshots.storage.base import Storage

INDEX = "index"
KEY = "key"
KEY_FORMAT = "dataops-snapshot-key/1"
SHREDDED = "shredded"
"""Lies in the folder of a snapshot whose key is being, or has been, destroyed."""
PIN = "pin"
OWN_FILES = frozenset({FILE, INDEX, KEY, PIN, SHREDDED})
"""What lies in the folder of a snapshot; its data are chunks, which lie elsewhere."""
RECAPTURE = "take a new snapshot with `dataops snapshot capture`"
RESTORABLE = "`--snapshot newest` takes the newest that can be read; `dataops snapshot ls` lists all"
_RECORD = struct.Struct(">32sIIB")


class ShreddedError(NotFoundError):
    """The key of a snapshot was destroyed, and with it whatever the snapshot held."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The chunks of a snapshot's data, by label: see `Manifest.data`.

    Args:
        parts: the chunks.
        ranges: of data that were captured in several ranges: where each begins, and how many chunks it has.
    """

    parts: Mapping[str, tuple[ChunkRef, ...]]
    ranges: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    def within(self, label: str, first: int = 0, end: int | None = None) -> tuple[ChunkRef, ...]:
        """The chunks of those ranges that have something between two places; of undivided data, all of them."""
        refs = self.parts.get(label, ())
        ranges = self.ranges.get(label) or ((0, len(refs)),)
        found: list[ChunkRef] = []
        at = 0
        for number, (start, count) in enumerate(ranges):
            next_start = ranges[number + 1][0] if number + 1 < len(ranges) else None
            if (next_start is None or next_start > first) and (end is None or start < end):
                found += refs[at : at + count]
            at += count
        return tuple(found)

    def chunks(self) -> set[tuple[bytes, bytes]]:
        """Every chunk that must be there to read the snapshot, bases included: their hashes and bases."""
        found = {ref.identity for refs in self.parts.values() for ref in refs}
        return found | {(base, b"") for _, bases in found for base in split(bases)}


def encode(contents: Contents) -> bytes:
    """The index before it is encrypted: labels, numbers of chunks and ranges as JSON, then a record for each chunk."""
    import zstandard

    ranges = contents.ranges
    labels = [
        [label, len(refs), *([ranges[label]] if label in ranges else [])] for label, refs in contents.parts.items()
    ]
    heading = json.dumps(labels).encode()
    records = b"".join(
        _RECORD.pack(ref.hash, ref.size, ref.stored, len(ref.bases) // HASH) + ref.bases
        for refs in contents.parts.values()
        for ref in refs
    )
    return zstandard.ZstdCompressor(level=LEVEL).compress(struct.pack(">I", len(heading)) + heading + records)


def decode(data: bytes) -> Contents:
    """The inverse of `encode`."""
    import zstandard

    plain = zstandard.ZstdDecompressor().decompress(data)
    (length,) = struct.unpack_from(">I", plain)
    at, parts, ranges = 4 + length, {}, {}
    for label, count, *divided in json.loads(plain[4:at]):
        if divided:
            ranges[label] = tuple((first, chunks) for first, chunks in divided[0])
        refs = []
        for _ in range(count):
            chunk, size, stored, bases = _RECORD.unpack_from(plain, at)
            at += _RECORD.size
            refs.append(ChunkRef(chunk, size, stored, plain[at : at + bases * HASH]))
            at += bases * HASH
        parts[label] = tuple(refs)
    return Contents(parts, ranges)


def seal_index(contents: Contents, key: bytes) -> tuple[bytes, IndexEntry]:
    """The index as it is stored, and what the manifest says of it."""
    sealed = _encrypt(encode(contents), key, b"index")
    return sealed, IndexEntry(len(sealed), blake3_hex(sealed))


def wrap_key(snapshot: str, key: bytes, store_key: bytes) -> bytes:
    """The contents of the file that holds a snapshot's key."""
    wrapped = base64.b64encode(_encrypt(key, _wrapping_key(store_key), snapshot.encode())).decode()
    return json.dumps({"format": KEY_FORMAT, "storeKey": key_id(store_key), "wrapped": wrapped}).encode() + b"\n"


def unwrap_key(storage: Storage, snapshot: str, store_key: bytes) -> bytes:
    """A snapshot's key.

    Raises:
        ShreddedError: it was destroyed.
        AuthenticationError: it is encrypted under another store key.
        VerificationError: it is missing or damaged.
    """
    from cryptography.exceptions import InvalidTag

    if is_shredded(storage, snapshot):
        raise ShreddedError(f"the snapshot {snapshot} was shredded: its key was destroyed", hint=RESTORABLE)
    name = f"{snapshot}/{KEY}"
    text = storage.read(name)
    if text is None:
        raise VerificationError("the key of the snapshot is missing", where=storage.describe(name), hint=RECAPTURE)
    try:
        found = json.loads(text)
        if found["storeKey"] != key_id(store_key):
            raise AuthenticationError(
                f"the snapshot {snapshot} cannot be opened with the store key of this machine",
                where=storage.describe(name),
                hint="copy keys/store.key from the machine that captured it",
            )
        return _decrypt(base64.b64decode(found["wrapped"], validate=True), _wrapping_key(store_key), snapshot.encode())
    except (ValueError, KeyError, TypeError, InvalidTag):
        raise VerificationError(
            f"the key of the snapshot {snapshot} is damaged", where=storage.describe(name), hint=RECAPTURE
        ) from None


def is_shredded(storage: Storage, snapshot: str) -> bool:
    """Whether the key of a snapshot was destroyed."""
    return storage.size(f"{snapshot}/{SHREDDED}") is not None


def load_contents(storage: Storage, manifest: Manifest, store_key: bytes) -> Contents:
    """The contents of a snapshot, as its signed manifest has them.

    Raises:
        NotFoundError: the snapshot was removed meanwhile, or shredded.
        AuthenticationError: it is encrypted under another store key.
        VerificationError: its key or its index is missing or damaged.
    """
    from cryptography.exceptions import InvalidTag
    from zstandard import ZstdError

    name, key = f"{manifest.id}/{INDEX}", unwrap_key(storage, manifest.id, store_key)
    sealed = storage.read(name)
    if sealed is None:
        raise VerificationError("the index of the snapshot is missing", where=storage.describe(name), hint=RECAPTURE)
    try:
        if blake3_hex(sealed) != manifest.index.hash:
            raise ValueError
        contents = decode(_decrypt(sealed, key, b"index"))
        keys = ChunkKeys(store_key)
        expected = {label: (data.chunks, data.hash) for label, data in manifest.data().items()}
        if {label: digest_of(refs, keys) for label, refs in contents.parts.items()} != expected:
            raise ValueError
    except (ValueError, struct.error, RuntimeError, InvalidTag, ZstdError):
        raise VerificationError(
            "the index of the snapshot does not have the recorded content",
            where=storage.describe(name),
            hint=RECAPTURE,
        ) from None
    return contents


def digest_of(refs: Iterable[ChunkRef], keys: ChunkKeys) -> tuple[int, str]:
    """The number of chunks of some data, and their keyed hash."""
    hashes = [ref.hash for ref in refs]
    return len(hashes), keys.digest(hashes)


def key_id(store_key: bytes) -> str:
    """What tells store keys apart, without telling them."""
    return derive(store_key, "key id").hex()[:16]


def _wrapping_key(store_key: bytes) -> bytes:
    return derive(store_key, "snapshot keys")


def _encrypt(plain: bytes, key: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, purpose)


def _decrypt(sealed: bytes, key: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return bytes(AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], purpose))
