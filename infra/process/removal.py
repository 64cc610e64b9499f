"""Removing folders without ever following a link out of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def remove_tree(path: Path) -> None:
    """Removes a folder with everything in it, or a link without what it leads to. Nothing there is no error.

    Folders that were made read-only are opened first.

    Raises:
        OSError: something cannot be removed.
    """
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    if not path.exists():
        return
    if os.geteuid() != 0:
        path.chmod(0o700)
        for folder, folders, _ in os.walk(path):
            for name in folders:
                if not Path(folder, name).is_symlink():
                    Path(folder, name).chmod(0o700)
    shutil.rmtree(path)


def size_of(path: Path) -> int:
    """Bytes that a file, or everything below a folder, takes on the disk; links are not followed."""
    try:
        total = path.lstat().st_blocks * 512
    except OSError:
        return 0
    if path.is_symlink() or not path.is_dir():
        return total
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue
    return total
