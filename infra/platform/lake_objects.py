"""What is an object in the folder of a lake."""

from __future__ import annotations

import os
from pathlib import Path


def objects_of(lake: Path) -> list[Path]:
    """The files of a lake, sorted; names that start with a dot are not objects but being written, or a server's own."""
    found = []
    for folder, folders, files in os.walk(lake):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if path.is_file())
