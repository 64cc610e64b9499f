"""Images that environments had built: a name for each environment, so that the engine itself counts who uses an image.

Images of equal content are one image with several names. Taking an environment's names away removes what no other
environment, and no container, uses.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dataops.infra.errors import NotFoundError
from dataops.infra.process.docker_engine import PLATFORM_LABEL, ConflictError, DockerEngine

CODE = "code"
"""The resource that is the image of an environment's code; pipelines with a Dockerfile have theirs beside it."""

PREFIX = "dataops"
PART = "__"
"""Between an environment and the pipeline whose own image it is; no name of an environment holds it."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """A name of an image: `environment` is whose it is."""

    reference: str
    environment: str
    image_id: str
    size: int


def repository_of(platform_root: Path, environment: str, pipeline: str = "") -> str:
    """What the images of an environment are called, but for the tag.

    Args:
        platform_root: the platform's folder below the home: other homes have environments of the same name.
        environment: whose they are.
        pipeline: for the images of one that has a Dockerfile of its own.
    """
    return f"{_prefix(platform_root)}/{environment}{PART + _plain(pipeline) if pipeline else ''}"


def built_images(engine: DockerEngine, platform_root: Path, environment: str = "*") -> list[BuiltImage]:
    """The images that were built for an environment of a platform, or for all of them."""
    code = repository_of(platform_root, environment)
    filters = quote(json.dumps({"reference": [code, f"{code}{PART}*"], "label": [PLATFORM_LABEL]}))
    found = []
    for image in engine.ask("GET", f"/images/json?filters={filters}", doing="listing the images that were built"):
        for reference in image.get("RepoTags") or []:
            repository = reference.rpartition(":")[0]
            head, _, last = repository.rpartition("/")
            name = last.partition(PART)[0]
            if head == _prefix(platform_root) and environment in ("*", name):
                found.append(BuiltImage(reference, name, str(image["Id"]), int(image["Size"])))
    return sorted(found, key=lambda image: image.reference)


def remove_image(engine: DockerEngine, reference: str) -> bool:
    """Takes a name away, and the image with its last one; False when a container still needs it."""
    try:
        engine.ask("DELETE", f"/images/{quote(reference, safe='')}", doing=f"removing the image {reference}")
    except NotFoundError:
        return True
    except ConflictError:
        return False
    return True


def _plain(name: str) -> str:
    """A name as a reference may hold it, different for different names."""
    plain = re.sub("[^a-z0-9]+", "-", name).strip("-")
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _prefix(platform_root: Path) -> str:
    digest = hashlib.sha256(os.fsencode(platform_root)).hexdigest()[:8]
    return f"{PREFIX}/{platform_root.name.rpartition('-')[0]}-{digest}"
