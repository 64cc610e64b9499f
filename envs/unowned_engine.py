"""What a Docker Engine has of environments that nobody owns: containers, networks, volumes, names of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dataops.envs.findings import Finding, Kept, at_work
from dataops.envs.images import built_references
from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import DataopsError
from dataops.infra.process.built_images import built_images
from dataops.infra.process.docker_engine import ROOT_LABEL, DockerEngine, engine_is_there

if TYPE_CHECKING:
    from dataops.envs.unowned import Search


def engine_findings(search: Search, records: list[EnvironmentRecord]) -> list[Finding]:
    """What an engine has of environments that no record names, and images that no environment runs any more."""
    if not engine_is_there():
        return []
    engine = DockerEngine()
    try:
        return [*_containers(search, engine), *_images(search, engine, records)]
    except DataopsError as error:
        search.kept.append(Kept(engine.socket, error.what))
        return []


def _containers(search: Search, engine: DockerEngine) -> Iterator[Finding]:
    for each in engine.owned():
        if (environments := search.above(Path(each.root))) is None:
            continue
        name = Path(each.root).relative_to(environments).parts[0]
        if search.unowned(name, f"{each.kind} {each.name}"):
            ours, gone = f"its label {ROOT_LABEL} says that it is of {each.root}", f"no record names {name}"
            yield Finding(each.kind, each.name, ours, gone, "remove it", 0, name, (each.root,))


def _images(search: Search, engine: DockerEngine, records: list[EnvironmentRecord]) -> Iterator[Finding]:
    current = {record.name: record for record in records}
    for image in built_images(engine, search.layout.root):
        name, record = image.environment, current.get(image.environment)
        if record is None:
            if not search.unowned(name, f"image {image.reference}"):
                continue
            gone, owner = f"no record names {name}", name
        elif not (running := built_references(record)) or image.reference in running:
            continue
        elif at_work(search.layout, record):
            continue
        else:
            gone, owner = f"{name} runs a newer one", ""
        ours = "its name is that of images which were built for this platform"
        identity = (image.image_id, *(built_references(record) if record else ()))
        yield Finding("image", image.reference, ours, gone, "remove the name", image.size, owner, identity)
