"""Subvolumes of btrfs: folders of which the file system makes a writable snapshot at once, whatever they hold.

Asked of the kernel itself, so that no program of btrfs is needed. What the file system does not know is told as False.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path

CREATE, SNAPSHOT, DESTROY = 0x5000940E, 0x50009417, 0x5000940F
ROOT_INODE = 256
"""The number of every subvolume's own folder."""

UNABLE = {errno.ENOTTY, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EXDEV, errno.EINVAL}
UNABLE |= {errno.ENOTEMPTY}  # what has another subvolume in it
_NAMED = struct.Struct("=q4088s")
_NAMED_WITH_FLAGS = struct.Struct("=qQQ32s4040s")


def make_subvolume(path: Path) -> bool:
    """Makes an empty subvolume at a path where nothing is; False where the file system has none."""
    return _ask(path.parent, CREATE, _NAMED.pack(0, os.fsencode(path.name)))


def snapshot_subvolume(source: Path, target: Path) -> bool:
    """Makes a writable snapshot of a subvolume at a path where nothing is; False where that cannot be done."""
    if source.stat().st_ino != ROOT_INODE:
        return False
    descriptor = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        arguments = _NAMED_WITH_FLAGS.pack(descriptor, 0, 0, bytes(32), os.fsencode(target.name))
        return _ask(target.parent, SNAPSHOT, arguments)
    finally:
        os.close(descriptor)


def destroy_subvolume(path: Path) -> bool:
    """Removes a subvolume with everything in it at once; False where it has to be emptied file by file."""
    return path.stat().st_ino == ROOT_INODE and _ask(path.parent, DESTROY, _NAMED.pack(0, os.fsencode(path.name)))


def _ask(folder: Path, request: int, arguments: bytes) -> bool:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, request, bytearray(arguments))
    except OSError as error:
        if error.errno in UNABLE:
            return False
        raise
    finally:
        os.close(descriptor)
    return True
