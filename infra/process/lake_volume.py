"""The objects of a lake in a volume of an engine that does not see the files of this machine.

Everything that the server of the lake needs is in the volume: objects, what it keeps beside them, and who may get in,
which is put there whenever it starts. Who works on objects from here gets a copy of them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.infra.process.containers import ContainerPlace, carried_place, container_name
from dataops.infra.process.copying import CopyReport
from dataops.infra.process.docker_engine import DockerEngine, Owned
from dataops.infra.process.engine_archives import Tree
from dataops.infra.process.engine_volumes import (
    add_to_volume,
    content_of,
    fill_volume,
    read_volume,
    remove_volume,
    size_in_volume,
    volume_name,
)
from dataops.infra.process.removal import remove_tree
from dataops.infra.process.s3_gateway import LAKE, GatewayFolder

VOLUME = Path("/lake")
"""Where the server has the volume."""

BUCKETS, META, ACCOUNTS = "buckets", "meta", "iam"


@dataclass(frozen=True, slots=True)
class CarriedLake:
    """A lake whose objects are in a volume: where that is, and its bucket."""

    place: ContainerPlace
    bucket: str

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> CarriedLake | None:
        """Reads `container` and `bucket`; None where objects are files of this machine."""
        place = carried_place(inputs)
        return cls(place, str(inputs["bucket"])) if place else None

    @property
    def inside(self) -> str:
        """The folder of the objects in the volume."""
        return f"{BUCKETS}/{self.bucket}"

    @property
    def content(self) -> str:
        """Which filling the volume has, "" for none."""
        return content_of(self.place, LAKE)

    def fill(self, source: Path | None) -> tuple[str, CopyReport]:
        """Lays objects anew, those of a folder or none; returns what the filling is known by, and what was copied.

        Raises:
            EngineFullError: no room is left there.
            ResourceError: the engine went away, or refuses.
        """
        self.remove()
        beside = [self._tree(None, f"{META}/{self.bucket}/meta"), self._tree(None, ACCOUNTS)]
        return fill_volume(self.place, LAKE, [self._tree(source, self.inside), *beside])

    def remove(self) -> None:
        """Removes the volume with a server on it; nothing there is no error. Whoever keeps the server starts it."""
        DockerEngine(self.place.socket).remove(Owned("container", container_name(self.place, LAKE), self.place.root))
        remove_volume(self.place, LAKE)

    def copy_out(self, target: Path) -> None:
        """Copies the objects to a new folder of this machine."""
        read_volume(self.place, LAKE, self.inside, target)

    def copy_in(self, source: Path) -> None:
        """Copies a folder over the objects."""
        add_to_volume(self.place, LAKE, [self._tree(source, self.inside)])

    def size(self, name: str) -> int | None:
        """The bytes of an object or of those below a name; None where there are none."""
        return size_in_volume(self.place, LAKE, f"{self.inside}/{name}")

    def mount(self) -> dict[str, Any]:
        """What the server's container has, as the resource of a service takes it."""
        return {"volume": volume_name(self.place, LAKE), "target": str(VOLUME)}

    def command(self, generation: str) -> list[str]:
        """The words that start the server in its container."""
        return GatewayFolder(VOLUME).command(generation, str(VOLUME / BUCKETS))

    def handed(self, folder: GatewayFolder) -> dict[str, Any]:
        """What is put into the volume before the server starts, as the resource of a service takes it."""
        files = (folder.accounts, folder.policy(self.bucket))
        return {"into": str(VOLUME), "files": {str(path.relative_to(folder.root)): str(path) for path in files}}

    def _tree(self, source: Path | None, inside: str) -> Tree:
        return Tree(source, inside, os.geteuid(), os.getegid())


def mark_of(path: Path, which: str) -> Path:
    """A mark beside a lake, since everything inside it is an object: `partial` when begun, `complete` when laid."""
    return path.with_name(f".{path.name}.{which}")


def carried_lake(path: Path) -> CarriedLake | None:
    """The lake that a folder stands for when its objects are in a volume; None when they are in the folder."""
    try:
        made = json.loads(mark_of(path, "complete").read_text(encoding="utf-8"))
        return CarriedLake.of(made) if isinstance(made, dict) else None
    except (OSError, ValueError, KeyError):
        return None


@contextmanager
def lake_at_hand(path: Path, *, writing: bool = False) -> Iterator[Path]:
    """A folder with the objects of a lake: its own, or a copy as long as the block runs.

    Args:
        path: the folder of the lake.
        writing: whether what is there at the end of the block becomes what the lake has.

    Raises:
        ResourceError: the engine refuses.
    """
    carried = carried_lake(path)
    if carried is None:
        yield path
        return
    copy = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        carried.copy_out(copy)
        yield copy
        if writing:
            carried.copy_in(copy)
    finally:
        remove_tree(copy)


def object_sizes(path: Path, names: Iterable[str]) -> dict[str, int]:
    """The bytes of objects, or of those below a name, in the lake that has this folder; those that are there."""
    carried = carried_lake(path)
    found = {}
    for name in names:
        size = _size_here(path / name) if carried is None else carried.size(name)
        if size is not None:
            found[name] = size
    return found


def _size_here(place: Path) -> int | None:
    if not place.exists():
        return None
    files = [place] if place.is_file() else [f for f in place.rglob("*") if f.is_file()]
    return sum(file.stat().st_size for file in files)
