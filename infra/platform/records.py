"""JSON documents on disk that are written whole or not at all: registry records, leases, run records."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError


def write_record(path: Path, document: dict[str, Any], mode: int = 0o644, make_folder: bool = True) -> None:
    """Writes a document so that a reader, or a crash, meets the old one or the new one and nothing between.

    Args:
        path: where.
        document: what is written as JSON.
        mode: the file's permissions.
        make_folder: makes missing folders.

    Raises:
        ResourceError: it cannot be written, on a full disk for instance; what was there before is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        _write(temporary, json.dumps(document, indent=2) + "\n", mode)
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> ResourceError:
    """The error for a file that cannot be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = "free space on that file system, then run the command again" if full else None
    return ResourceError(f"cannot be written: {error.strerror}", where=str(path), hint=hint)


def _write(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def read_record(path: Path) -> dict[str, Any] | None:
    """The document, or None when there is none or it is not one of ours."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return document if isinstance(document, dict) else None
