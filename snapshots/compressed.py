"""The search for production in compressed objects: they are unpacked as they are read, up to a bound, and not kept.

What cannot be unpacked, or is too much, is not passed over in silence: the manifest says which objects were not
searched, or not to their end.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any

from dataops.infra.platform.quantities import size_text
from dataops.snapshots.hosts import OVERLAP, HostSearch

MOST = 1 << 30
"""Bytes that are unpacked of one object: a small one may hold any number of them."""

WINDOW = 1 << 27
"""Bytes of memory that unpacking zstd may take."""

BLOCK = 1 << 20

_UNREADABLE = {
    b"\x04\x22\x4d\x18": "lz4",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"ORC": "ORC, whose columns are compressed",
    b"Obj\x01": "Avro, whose blocks may be compressed",
}
"""Magic bytes of what we cannot unpack."""


def search_compressed(file: IO[bytes], label: str, search: HostSearch, most: int = MOST) -> None:
    """Searches what is in a compressed object; does nothing with any other.

    Args:
        file: the object, at its beginning.
        label: what to call it.
        search: is told what is found, and why the object was not searched to its end.
        most: see `MOST`.
    """
    start = file.read(8)
    file.seek(0)
    for magic, name in _UNREADABLE.items():
        if start.startswith(magic):
            search.pass_over(label, f"it is {name}")
            return
    try:
        left = most
        for part in _parts(file, start):
            left = _look(part, label, search, left)
            if left <= 0:
                search.pass_over(label, f"it holds more than the {size_text(most)} that were searched")
                return
    except NotImplementedError:
        search.pass_over(label, "it is compressed in a way that is not known")
    except RuntimeError:  # what zipfile says of a password
        search.pass_over(label, "it is encrypted")
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, _zstd_error()):
        search.pass_over(label, "it is cut off, damaged or not what its first bytes say")


def _look(part: Any, label: str, search: HostSearch, left: int) -> int:
    """Searches one stream and returns how much may still be unpacked."""
    tail = b""
    while left > 0 and (block := part.read(BLOCK)):
        search.look(label, tail + block)
        tail = block[-OVERLAP:]
        left -= len(block)
    return left


def _parts(file: IO[bytes], start: bytes) -> Iterator[Any]:
    """The streams in a compressed file; none when it is not compressed."""
    import bz2
    import gzip

    with ExitStack() as opened:
        if start.startswith(b"\x1f\x8b"):
            yield opened.enter_context(gzip.GzipFile(fileobj=file))
        elif start.startswith(b"\x28\xb5\x2f\xfd"):
            yield _Zstd(file)
        elif start.startswith(b"BZh"):
            yield opened.enter_context(bz2.BZ2File(file))
        elif start.startswith(b"\xfd7zXZ\x00"):
            yield opened.enter_context(lzma.LZMAFile(file))
        elif start.startswith(b"PK\x03\x04"):
            archive = opened.enter_context(zipfile.ZipFile(file))
            for member in archive.infolist():
                with archive.open(member) as part:
                    yield part


class _Zstd:
    """The unpacked frames of a file. Unlike the library's own reader it tells that the last one is cut off."""

    PIECE = 1024
    """Bytes read at a time: each few of them may unpack to 128 KiB."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rest = b""
        self._between = True
        self._frame = self._begin()

    def read(self, size: int) -> bytes:
        """At least one byte, if there is any left; about `size`."""
        found: list[bytes] = []
        count = 0
        while count < size:
            packed = self._rest or self._file.read(self.PIECE)
            if not packed:
                if not self._between:
                    raise EOFError
                break
            self._rest = b""
            found.append(self._frame.decompress(packed))
            count += len(found[-1])
            self._between = False
            if self._frame.eof:
                self._rest = self._frame.unused_data
                self._frame = self._begin()
        return b"".join(found)

    def _begin(self) -> Any:
        import zstandard

        self._between = True
        return zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()


def _zstd_error() -> type[Exception]:
    import zstandard

    return zstandard.ZstdError
