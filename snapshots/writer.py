"""Files of a snapshot: compressed and hashed while they are written, durable when they are finished."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dataops.snapshots.manifest import StoredFile

LEVEL = 1


class DataWriter:
    """A compressed file, hashed while it is written; `finish` makes it durable."""

    def __init__(self, path: Path) -> None:
        import zstandard
        from blake3 import blake3

        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._path = path
        self._file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
        self._hash = blake3()
        self._stored = 0
        self.bytes = 0

    def __enter__(self) -> DataWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: Any) -> None:
        """Appends some data: bytes or a buffer of them."""
        self.bytes += len(data)
        self._store(self._compressor.compress(data))

    def finish(self) -> StoredFile:
        """Ends the file and waits until it is on disk."""
        self._store(self._compressor.flush())
        self._file.flush()
        os.fsync(self._file.fileno())
        name = f"{self._path.parent.name}/{self._path.name}"
        return StoredFile(name, self._stored, self._hash.hexdigest())

    def _store(self, data: bytes) -> None:
        if data:
            self._hash.update(data)
            self._file.write(data)
            self._stored += len(data)
