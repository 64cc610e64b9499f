"""How much of a tree is its own and how much it shares, as the file system itself tells it (FIEMAP)."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

FIEMAP = 0xC020660B
LAST, SHARED = 0x1, 0x2000
_HEAD = struct.Struct("=QQIIII")
_EXTENT = struct.Struct("=QQQQQIIII")
_AT_ONCE = 512
_BLOCK = 512
"""Bytes of a block as `stat` counts them, whatever the file system uses."""


@dataclass(frozen=True, slots=True)
class Extents:
    """Sizes of a tree in bytes.

    Args:
        logical: of its files, as they are read.
        allocated: of the blocks they stand in, shared or not.
        own: of the blocks that nobody else has: what removing the tree would free.
    """

    logical: int
    allocated: int
    own: int


def extents_of(root: Path) -> Extents:
    """Measures a tree, or what of it is there; a file with several names counts once.

    Where the file system does not tell, nothing counts as shared.
    """
    seen: set[tuple[int, int]] = set()
    logical = allocated = own = 0
    folders = [os.fspath(root)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    taken = status.st_blocks * _BLOCK
                    if stat.S_ISDIR(status.st_mode):
                        folders.append(entry.path)
                    if not stat.S_ISREG(status.st_mode):
                        allocated, own = allocated + taken, own + taken
                        continue
                    if status.st_nlink > 1:
                        if (status.st_dev, status.st_ino) in seen:
                            continue
                        seen.add((status.st_dev, status.st_ino))
                    logical, allocated = logical + status.st_size, allocated + taken
                    own += max(0, taken - _shared(entry.path)) if taken else 0
        except OSError:
            continue  # it went while we looked
    return Extents(logical, allocated, own)


def _shared(path: str) -> int:
    """The bytes of a file that stand in blocks which others have, too."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        start = total = 0
        while True:
            buffer = bytearray(_HEAD.pack(start, (1 << 64) - 1 - start, 0, 0, _AT_ONCE, 0))
            buffer.extend(bytes(_EXTENT.size * _AT_ONCE))
            fcntl.ioctl(descriptor, FIEMAP, buffer)
            count = _HEAD.unpack_from(buffer)[3]
            for index in range(count):
                at, _, length, _, _, flags, *_ = _EXTENT.unpack_from(buffer, _HEAD.size + index * _EXTENT.size)
                total += length if flags & SHARED else 0
                start = at + length
                if flags & LAST:
                    return total
            if not count:
                return total
    except OSError:
        return 0
    finally:
        os.close(descriptor)
