"""What an image is made of, as one hash: files of the context that `.dockerignore` lets in, Dockerfile, arguments."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

UNWANTED = (".git", ".dataops", ".venv", "**/__pycache__", "**/*.pyc")
"""What no image is made of, unless `.dockerignore` takes it in with `!`: what tools leave beside the code."""


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
    from dataops.infra.providers.docker.library import exclude_paths

    if not context.is_dir():
        raise FileNotFoundError(2, "No such folder", str(context))
    return sorted(exclude_paths(str(context), ignored(context, dockerfile), dockerfile=dockerfile or None))


def ignored(context: Path, dockerfile: str = "") -> list[str]:
    """The patterns of what is left out: those of every image, then the Dockerfile's own or those of the context."""
    own = context / f"{dockerfile or 'Dockerfile'}.dockerignore"
    file = own if own.is_file() else context / ".dockerignore"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [*UNWANTED, *(line.strip() for line in lines if line.strip() and not line.startswith("#"))]


def _entry(context: Path, name: str) -> bytes:
    path = context / name
    status = path.lstat()
    hashed = hashlib.sha256(os.fsencode(f"{name}\0{stat.S_IFMT(status.st_mode)}\0{status.st_mode & 0o100}\0"))
    if stat.S_ISLNK(status.st_mode):
        hashed.update(os.fsencode(os.readlink(path)))
    elif stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                hashed.update(piece)
    return hashed.digest()
