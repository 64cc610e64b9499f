"""Which image a name meant when a commit was first made an environment of: the same commit gets the same image again.

One JSON file per commit, in the platform's folder, so that it outlives environments.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from dataops.infra.platform.records import read_record, write_record


@dataclass(frozen=True, slots=True)
class ImagePin:
    """What a name meant: `digest` is `name@sha256:…`, "" for an image that was in no registry; `id` the engine's."""

    digest: str
    id: str


def read_pin(file: Path, name: str) -> ImagePin | None:
    """What was recorded of a name, None when nothing was."""
    found = (read_record(file) or {}).get(name)
    if not isinstance(found, dict) or not isinstance(found.get("digest"), str) or not isinstance(found.get("id"), str):
        return None
    return ImagePin(found["digest"], found["id"])


def write_pin(file: Path, name: str, pin: ImagePin) -> None:
    """Records what a name means from now on.

    Raises:
        ResourceError: it cannot be written.
    """
    known = read_record(file) or {}
    if known.get(name) != asdict(pin):
        write_record(file, {**known, name: asdict(pin)})
