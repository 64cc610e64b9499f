"""Data on their way into the store: cut into chunks, and stored unless they are stored already."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from dataops.snapshots.boundaries import Cutter
from dataops.snapshots.chunk_reader import ChunkReader
from dataops.snapshots.chunks import WORTHWHILE, ChunkKeys, ChunkRef, Packer, hash_of, split
from dataops.snapshots.contents import digest_of
from dataops.snapshots.manifest import StoredData
from dataops.snapshots.references import References
from dataops.snapshots.storage.local import LocalStorage

TOGETHER = 32
"""Chunks that are put on the disk at once, with the folders they lie in."""
BASES = 3
"""Most chunks that one is a difference to: where a boundary went, what was two chunks is one."""
NEGLIGIBLE = 0.03
COMPRESSIBLE = 0.8
"""Where chunks do not become smaller than that when they are compressed, differences do not either."""

ALIKE = 0.1
"""By how much of its size a chunk may differ from the one before to be taken for the same with changes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A store to write into, as it is told to the processes that do.

    Args:
        folder: of the store.
        store_key: of the platform.
    """

    folder: Path
    store_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Written:
    """Some data in the store: what the manifest says of them, and their chunks."""

    data: StoredData
    chunks: tuple[ChunkRef, ...]


class DataWriter:
    """A stream into the store. A context manager; `finish` makes what was written durable.

    Args:
        place: where to.
        settler: puts what was written on the disk after `finish`, which then does not wait: see `settling`.
        rows: the data are rows of COPY text.
        before: the chunks of the same data in the snapshot before, in their order.
    """

    def __init__(
        self, place: Place, settler: Executor | None = None, *, rows: bool, before: Sequence[ChunkRef] = ()
    ) -> None:
        self._storage = LocalStorage(place.folder)
        self._keys = ChunkKeys(place.store_key)
        self._cutter = Cutter(self._keys.seed, rows=rows)
        self._packer = Packer()
        self._reader = ChunkReader(self._storage, self._keys)
        self._before = _Before(before)
        self._stack = ExitStack()
        self._stored = self._stack.enter_context(References(place.folder).lookup())
        self._waits = settler is None
        self._settler = settler or self._stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="settle"))
        self._unsettled: list[str] = []
        self.settling: list[Future[None]] = []
        """What is not on the disk before it is done."""
        self._own: dict[bytes, ChunkRef] = {}
        self._chunks: list[ChunkRef] = []
        self.bytes = 0

    def __enter__(self) -> DataWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, data: Any) -> None:
        """Appends some data: bytes or a buffer of them."""
        self.bytes += len(data)
        self._store(self._cutter.cut(data))

    def finish(self) -> Written:
        """Ends the data, and waits until they are on disk unless others see to that."""
        self._store(self._cutter.finish())
        self._settle()
        if self._waits:
            for settled in self.settling:
                settled.result()
        count, digest = digest_of(self._chunks, self._keys)
        data = StoredData(count, sum(ref.stored for ref in self._chunks), digest)
        return Written(data, tuple(self._chunks))

    def _settle(self) -> None:
        """Has what was written last put on the disk, while more is read."""
        self.settling.append(self._settler.submit(self._storage.settle, self._unsettled))
        self._unsettled = []

    def _store(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            chunk = hash_of(piece)
            ref = self._own.get(chunk) or self._known(chunk, len(piece)) or self._new(chunk, piece)
            self._own[chunk] = ref
            self._before.pass_by(chunk, len(piece))
            self._chunks.append(ref)

    def _known(self, chunk: bytes, size: int) -> ChunkRef | None:
        """The chunk, if a snapshot has it. What none has may be what a crash left: it is written again."""
        for bases in {self._before.bases_of(chunk), b""}:
            stored = self._there(chunk, bases)
            if stored is not None and all(self._there(base) is not None for base in split(bases)):
                return ChunkRef(chunk, size, stored, bases)
        return None

    def _there(self, chunk: bytes, bases: bytes = b"") -> int | None:
        name = self._keys.name(chunk, bases)
        stored = self._stored(name)
        return stored if stored is not None and self._storage.size(name) == stored else None

    def _new(self, chunk: bytes, piece: bytes) -> ChunkRef:
        packed, bases = self._difference(piece) or (self._packer.pack(piece), b"")
        name, sealed = self._keys.name(chunk, bases), self._keys.seal(chunk, bases, packed)
        self._storage.write(name, sealed)
        self._unsettled.append(name)
        if len(self._unsettled) >= TOGETHER:
            self._settle()
        return ChunkRef(chunk, len(piece), len(sealed), bases)

    def _difference(self, piece: bytes) -> tuple[bytes, bytes] | None:
        """The piece as the difference to what stood there before, with the bases; None when there is no use in it."""
        bases = self._before.neighbours(len(piece))
        sizes = [self._there(base) for base in bases]
        if not sizes or None in sizes:
            return None
        base = b"".join(map(self._reader.read, bases))
        packed, whole = self._packer.pack_difference(piece, base), sum(size or 0 for size in sizes) / len(base)
        return (packed, b"".join(bases)) if len(packed) < WORTHWHILE * whole * len(piece) else None


class _Before:
    """The chunks that these data had in the snapshot before, and how far along them one has come."""

    def __init__(self, refs: Sequence[ChunkRef]) -> None:
        self._refs = refs
        self._starts = [0, *accumulate(ref.size for ref in refs)]
        self._places = {ref.hash: place for place, ref in enumerate(refs)}
        self._at = 0

    def bases_of(self, chunk: bytes) -> bytes:
        """What the chunk of that hash is stored as a difference to."""
        place = self._places.get(chunk)
        return b"" if place is None else self._refs[place].bases

    def pass_by(self, chunk: bytes, size: int) -> None:
        """Goes on behind a chunk: behind the same one, or one as large at the same place, if there is such a one."""
        place = self._places.get(chunk)
        if place is None:
            place = next(iter(self._opposite(size)), None)
            if place is None or abs(self._refs[place].size - size) > ALIKE * size:
                self._at += size
                return
        self._at = self._starts[place + 1]

    def neighbours(self, size: int) -> list[bytes]:
        """Hashes of chunks that stand for themselves and are likely to resemble a new one of that size."""
        refs = [self._refs[place] for place in sorted(self._opposite(size))]
        if any(not ref.bases and ref.stored > COMPRESSIBLE * ref.size for ref in refs):
            return []
        return list(dict.fromkeys(base for ref in refs for base in split(ref.bases or ref.hash)))[:BASES]

    def _opposite(self, size: int) -> list[int]:
        """Which old chunks have the bytes at the place of a new one of that size, the one with most of them first."""
        end = self._at + size
        first = max(0, bisect_right(self._starts, self._at) - 1)
        last = min(len(self._refs), bisect_left(self._starts, end))
        overlaps = {p: min(end, self._starts[p + 1]) - max(self._at, self._starts[p]) for p in range(first, last)}
        most = sorted(overlaps, key=lambda place: -overlaps[place])[:BASES]
        return [place for place in most if place == most[0] or overlaps[place] > NEGLIGIBLE * size]
