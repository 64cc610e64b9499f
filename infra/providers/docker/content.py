"""What an image is made of, as one hash: files of the context that `.dockerignore` lets in, Dockerfile, arguments."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def content_of(inputs: Mapping[str, Any]) -> str:
    """The hash of all that decides what an image becomes. Secrets are left out: they are no part of it.

    Raises:
        FileNotFoundError: there is no such context or Dockerfile.
    """
    context = Path(inputs["context"])
    hashed = hashlib.sha256()
    for part in (
        dockerfile_text(inputs),
        str(sorted((inputs.get("arguments") or {}).items())),
        str(inputs.get("stage") or ""),
        str(inputs.get("key") or ""),
    ):
        hashed.update(f"{len(part)}:{part}".encode())
    for path in files_of(context, str(inputs.get("dockerfile") or "")):
        hashed.update(_entry(context, path))
    return hashed.hexdigest()


def dockerfile_text(inputs: Mapping[str, Any]) -> str:
    """The text of the Dockerfile: the one that is given, else that of the file `dockerfile` in the context."""
    if inputs.get("dockerfileText"):
        return str(inputs["dockerfileText"])
    return Path(inputs["context"], inputs.get("dockerfile") or "Dockerfile").read_text(encoding="utf-8")


def files_of(context: Path, dockerfile: str = "") -> list[str]:
    """Paths below a context that are sent to the engine, in order; as `.dockerignore` says, or the Dockerfile's own."""
    from docker.utils.build import exclude_paths

    if not context.is_dir():
        raise FileNotFoundError(2, "No such folder", str(context))
    own = context / f"{dockerfile or 'Dockerfile'}.dockerignore"
    ignored = own if own.is_file() else context / ".dockerignore"
    lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.is_file() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return sorted(exclude_paths(str(context), patterns, dockerfile=dockerfile or None))


def _entry(context: Path, name: str) -> bytes:
    path = context / name
    status = path.lstat()
    hashed = hashlib.sha256(os.fsencode(f"{name}\0{stat.S_IFMT(status.st_mode)}\0{status.st_mode & 0o111}\0"))
    if stat.S_ISLNK(status.st_mode):
        hashed.update(os.fsencode(os.readlink(path)))
    elif stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                hashed.update(piece)
    return hashed.digest()
