"""The images of this machine that environments run, or that are theirs to run: what each name means and who uses it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from dataops.envs.registry import EnvironmentRecord
from dataops.infra.providers.docker.listing import KnownImage


@dataclass(frozen=True, slots=True)
class ListedImage:
    """A name of an image.

    Args:
        name, image_id: the name, and the image that it means, "" for one that is not on the engine.
        digest: by which a registry has it, as `name@sha256:…`; "" for one that was never in one.
        platform: whose it is, "" for one that others made.
        used_by: the environments that run it.
        size: in bytes, layers that others share included.
    """

    name: str
    image_id: str
    digest: str = ""
    platform: str = ""
    used_by: tuple[str, ...] = ()
    size: int = 0

    def to_json(self) -> dict[str, Any]:
        """As `dataops images ls -o json` prints it."""
        return {
            "name": self.name,
            "id": self.image_id,
            "digest": self.digest,
            "platform": self.platform,
            "usedBy": list(self.used_by),
            "size": self.size,
        }


def listed_images(known: Iterable[KnownImage], records: Iterable[EnvironmentRecord]) -> list[ListedImage]:
    """What the engine has, joined with what environments say that they run, by name.

    Args:
        known: base images, images that were built, and those that environments run.
        records: the environments of this machine.
    """
    sizes = {image.image_id: image.size for image in known}
    found = {(i.name, i.image_id): ListedImage(i.name, i.image_id, platform=i.platform, size=i.size) for i in known}
    for record in records:
        for used in record.facts.get("images") or []:
            key = (str(used["name"]), str(used["id"]))
            image = found.get(key) or ListedImage(*key, size=sizes.get(key[1], 0))
            users = tuple(sorted({*image.used_by, record.name}))
            found[key] = replace(image, digest=str(used["digest"]) or image.digest, used_by=users)
    return sorted(found.values(), key=lambda image: (image.name, image.image_id))


def built_references(record: EnvironmentRecord) -> tuple[str, ...]:
    """The images that were built for an environment and that it runs, by name."""
    return tuple(record.facts.get("builtImages") or filter(None, [record.facts.get("image")]))
