"""Chunks: pieces of data that are stored once, however many snapshots have them, and tell nothing to who has no key.

    hash      BLAKE3 of the plain text; it stands in the encrypted index of a snapshot and nowhere else
    name      of the stored chunk: keyed BLAKE3 of the hash, so that equal pieces are found without being known
    key       of the stored chunk: another keyed BLAKE3 of the hash
    stored    nonce, then AES-256-GCM of the plain text in zstd

All three keyed hashes have keys derived from the store key of the platform. Who has the store key and a hash can read
a chunk; who has only the store key can find out whether a text that he knows already is stored, and no more.

A chunk may be written as the difference to its *bases*, the chunks that stood at its place in the snapshot before: zstd
with these as dictionary. A base is never itself a difference. A chunk with bases has a name and a key of its own.

Nonces are not drawn but derived from what they are used for: a key serves one plain text, but compressed by another
version of zstd that would be another message, and two messages under one key and nonce would give both away.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zstandard import ZstdCompressionDict, ZstdCompressor

FOLDER = "chunks"
HASH = 32
NONCE = 12
TAG = 16
LEVEL = 1
DELTA_LEVEL = 3
"""The lowest at which zstd makes use of a dictionary as large as the text."""
WORTHWHILE = 0.15
"""A difference that takes more than this part of what the chunk itself would take is not stored: the chunk is.

Differences to the same base grow from capture to capture. With one row in a hundred changed each time, all over a
table, this part costs least in the long run: a chunk of its own after about 14 captures."""


@dataclass(frozen=True, slots=True)
class ChunkRef:
    """One chunk of a table, an object or the schema.

    Args:
        hash: of the plain text.
        size: bytes of the plain text.
        stored: bytes in the store.
        bases: hashes of the chunks that it is a difference to, one after the other; empty when it stands for itself.
    """

    hash: bytes
    size: int
    stored: int
    bases: bytes = b""

    @property
    def identity(self) -> tuple[bytes, bytes]:
        """What tells stored chunks apart: the hash, and the bases."""
        return self.hash, self.bases


def split(bases: bytes) -> list[bytes]:
    """The hashes that stand one after the other."""
    return [bases[start : start + HASH] for start in range(0, len(bases), HASH)]


def hash_of(plain: Any) -> bytes:
    """The hash of a plain text."""
    from blake3 import blake3

    return blake3(plain).digest()


class ChunkKeys:
    """What a platform's store key gives: names, keys and nonces of chunks, and where data are cut.

    Args:
        store_key: 32 bytes.
    """

    def __init__(self, store_key: bytes) -> None:
        self._store_key = store_key
        self._names, self._contents, self._nonces, self._digests = (
            derive(store_key, purpose) for purpose in ("chunk names", "chunk contents", "chunk nonces", "digests")
        )

    def __repr__(self) -> str:
        return "ChunkKeys()"

    def name(self, chunk: bytes, bases: bytes = b"") -> str:
        """Under which name the chunk of that hash is stored."""
        digest = _keyed(self._names, chunk + bases).hex()
        return f"{FOLDER}/{digest[:2]}/{digest[2:]}"

    def digest(self, chunks: list[bytes]) -> str:
        """What tells two lists of chunks apart, and tells nothing about them, in hexadecimal."""
        return _keyed(self._digests, b"".join(chunks)).hex()

    @cached_property
    def seed(self) -> int:
        """Decides where data are cut; without it, nobody can tell from sizes of chunks that a known file is stored."""
        return int.from_bytes(derive(self._store_key, "boundaries")[:7])

    def seal(self, chunk: bytes, bases: bytes, packed: bytes) -> bytes:
        """A compressed chunk as it is stored."""
        nonce = _keyed(self._nonces, chunk + bases + packed)[:NONCE]
        return nonce + bytes(self._cipher(chunk, bases).encrypt(nonce, packed, None))

    def unseal(self, chunk: bytes, bases: bytes, stored: bytes) -> bytes:
        """The inverse of `seal`.

        Raises:
            InvalidTag: it was changed.
        """
        return bytes(self._cipher(chunk, bases).decrypt(stored[:NONCE], memoryview(stored)[NONCE:], None))

    def _cipher(self, chunk: bytes, bases: bytes) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(_keyed(self._contents, chunk + bases))


def derive(key: bytes, purpose: str) -> bytes:
    """A key for one purpose, made of another key."""
    from blake3 import blake3

    return blake3(key, derive_key_context=f"dataops 2026 snapshots: {purpose}").digest()


def _keyed(key: bytes, data: bytes) -> bytes:
    from blake3 import blake3

    return blake3(data, key=key).digest()


class Packer:
    """Compresses chunks. Not for several threads at once."""

    def __init__(self) -> None:
        import zstandard

        self._plain: ZstdCompressor = zstandard.ZstdCompressor(level=LEVEL)

    def pack(self, plain: Any) -> bytes:
        """A chunk that stands for itself."""
        return self._plain.compress(plain)

    def pack_difference(self, plain: Any, base: bytes) -> bytes:
        """A chunk as the difference to others, which stand one after the other in `base`."""
        import zstandard

        parameters = zstandard.ZstdCompressionParameters.from_level(
            DELTA_LEVEL,
            source_size=len(plain),
            dict_size=len(base),
            window_log=max(10, (len(base) + len(plain)).bit_length()),
            # with the usual 17 a base of some megabytes pushes most of itself out of the table, and little is found
            hash_log=max(17, len(base).bit_length() - 2),
        )
        return zstandard.ZstdCompressor(dict_data=_dictionary(base), compression_params=parameters).compress(plain)


def unpack(packed: bytes, base: bytes | None = None) -> bytes:
    """The plain text of a compressed chunk.

    Raises:
        ValueError: it is not one.
    """
    import zstandard

    try:
        if base is None:
            return zstandard.ZstdDecompressor().decompress(packed)
        return zstandard.ZstdDecompressor(dict_data=_dictionary(base)).decompress(packed)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None


def _dictionary(base: bytes) -> ZstdCompressionDict:
    import zstandard

    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
