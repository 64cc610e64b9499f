"""What of ours an engine has."""

from __future__ import annotations

from dataclasses import dataclass

from dataops.infra.providers.docker.bootstrap import BASE
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import translated
from dataops.infra.providers.docker.marks import PLATFORM


@dataclass(frozen=True, slots=True)
class KnownImage:
    """A name of an image; `platform` is "" for a base image, `size` in bytes counts layers that others share, too."""

    name: str
    image_id: str
    platform: str
    size: int


def known_images(engine: Engine) -> list[KnownImage]:
    """Base images and those that platforms built, by name."""
    found = []
    with translated("list images"):
        for label in (BASE, PLATFORM):
            for image in engine.client.images(filters={"label": label}):
                labels = image["Labels"] or {}
                for name in image["RepoTags"] or []:
                    found.append(KnownImage(name, image["Id"], labels.get(PLATFORM, ""), image["Size"]))
    return sorted(set(found), key=lambda image: image.name)
