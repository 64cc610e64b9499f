"""Volumes that are filled from folders of this machine, for an engine that does not see them: several streams at once.

What an archive is put into must be a container, which need not run: each stream has one of its own, since the engine
does one thing at a time to each. A volume that was filled half is known by nobody having noted its `content`, a label
that no two fillings have in common; whoever fills it again begins with an empty one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from dataops.infra.errors import ResourceError
from dataops.infra.process.containers import CARRIED, ContainerPlace, labels_of, network_name
from dataops.infra.process.copying import CopyReport
from dataops.infra.process.docker_engine import ROOT_LABEL, ConflictError, DockerEngine, Owned
from dataops.infra.process.engine_archives import Member, Tree, get_tree, members_of, put_members, size_of

FILLING_LABEL = "io.dataops.filling"
STREAMS = 4
LEAST = 16 << 20
"""Bytes that are worth a stream of their own."""
SETTLING = 10.0
"""Seconds in which an engine ends what it does for a client that has gone."""
ROOT = "/volume"
"""Where containers that are never started have the volume."""


def volume_name(place: ContainerPlace, what: str) -> str:
    """What a volume of an environment is called on the engine."""
    return f"{network_name(Path(place.root))}-{what}"


def content_of(place: ContainerPlace, what: str) -> str:
    """Which filling a volume has: "" when there is no such volume, or one that nobody filled."""
    found = DockerEngine(place.socket).volume(volume_name(place, what)) or {}
    return str((found.get("Labels") or {}).get(FILLING_LABEL, ""))


def elsewhere(where: str) -> ResourceError:
    """The error for data without a copy that are not on the engine which is asked."""
    return ResourceError(
        "the data are not on this Docker Engine, and nothing else has them",
        where=where,
        hint="choose the engine that has them (DOCKER_HOST, docker context use); if they are gone for good, take the "
        "environment down and make it again",
    )


def remove_volume(place: ContainerPlace, what: str) -> None:
    """Removes a volume; one that is not there is no error.

    Raises:
        ConflictError: a container uses it.
        ResourceError: it is somebody else's.
    """
    engine, name = DockerEngine(place.socket), volume_name(place, what)
    found = engine.volume(name)
    if found is not None and (found.get("Labels") or {}).get(ROOT_LABEL) != place.root:
        raise ResourceError(f"the engine has a volume {name} that is not ours", hint="remove it, or rename it")
    deadline = time.monotonic() + SETTLING
    while True:
        _remove_openers(engine, place, what)
        try:
            engine.remove(Owned("volume", name, place.root))
            return
        except ConflictError:  # an opener that is just being made for a client that was killed is not listed yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def fill_volume(place: ContainerPlace, what: str, trees: Sequence[Tree]) -> tuple[str, CopyReport]:
    """Makes a volume anew, with copies of folders in it; returns its content, to be noted, and what was copied.

    Nothing may use the one that was there.

    Raises:
        EngineFullError: no room is left there; what was copied is gone again.
        EngineUnavailableError, ResourceError: the engine went away, or refuses.
    """
    engine, content = DockerEngine(place.socket), secrets.token_hex(16)
    remove_volume(place, what)
    engine.make_volume(volume_name(place, what), {**labels_of(Path(place.root)), FILLING_LABEL: content})
    try:
        return content, add_to_volume(place, what, trees)
    except ResourceError:
        remove_volume(place, what)
        raise


def add_to_volume(place: ContainerPlace, what: str, trees: Sequence[Tree]) -> CopyReport:
    """Copies folders into a volume that is there; arguments and errors as those of `fill_volume`."""
    began = time.monotonic()
    members = [member for tree in trees for member in members_of(tree)]
    doing = f"copying into the volume of the {what}"
    folders, files = [m for m in members if m.folder], [m for m in members if not m.folder]
    shares = _shares(files)
    with (
        opened_volume(place, what, len(shares)) as openers,
        ThreadPoolExecutor(len(shares), thread_name_prefix="carry") as pool,
    ):
        # first, since two streams that make the same folder at the same moment fail
        put_members(place.socket, openers[0], ROOT, folders, doing=doing)
        waiting = [
            pool.submit(put_members, place.socket, opener, ROOT, share, doing=doing)
            for opener, share in zip(openers, shares, strict=True)
        ]
        for each in waiting:
            each.result()
    return CopyReport(CARRIED, len(files), sum(file.size for file in files), time.monotonic() - began)


@contextmanager
def opened_volume(place: ContainerPlace, what: str, count: int = 1) -> Iterator[list[str]]:
    """Containers that have a volume at `ROOT` and never start, by which it is written and read."""
    engine = DockerEngine(place.socket)
    suffix = secrets.token_hex(3)
    names = [f"{volume_name(place, what)}-open-{suffix}-{number}" for number in range(count)]
    mount = {"Type": "volume", "Source": volume_name(place, what), "Target": ROOT}
    body = {
        "Image": place.image,
        "Entrypoint": ["none"],
        "Labels": labels_of(Path(place.root)),
        "HostConfig": {"Mounts": [mount], "NetworkMode": "none"},
    }
    try:
        for name in names:
            engine.ask(
                "POST", f"/containers/create?name={quote(name)}", body, doing=f"opening the volume of the {what}"
            )
        yield names
    finally:
        for name in names:
            engine.remove(Owned("container", name, place.root))


def read_volume(place: ContainerPlace, what: str, inside: str, target: Path) -> None:
    """Copies a folder of a volume to a new one of this machine; links and special files are left out.

    Raises:
        NotFoundError: the volume has no such folder.
        EngineUnavailableError, ResourceError: the engine went away, or refuses.
    """
    with opened_volume(place, what) as (opener,):
        get_tree(place.socket, opener, f"{ROOT}/{inside}", target, doing=f"reading the volume of the {what}")


def size_in_volume(place: ContainerPlace, what: str, inside: str) -> int | None:
    """The bytes of a file, or of all files of a folder, in a volume; None where there is nothing.

    Raises:
        EngineUnavailableError, ResourceError: the engine went away, or refuses.
    """
    with opened_volume(place, what) as (opener,):
        return size_of(place.socket, opener, f"{ROOT}/{inside}", doing=f"reading the volume of the {what}")


def _remove_openers(engine: DockerEngine, place: ContainerPlace, what: str) -> None:
    """Removes containers that a killed one opened the volume with."""
    for owned in engine.owned(place.root):
        if owned.kind == "container" and owned.name.startswith(f"{volume_name(place, what)}-open-"):
            engine.remove(owned)


def _shares(files: Sequence[Member]) -> list[list[Member]]:
    """Files for each stream, of about equal size."""
    count = max(1, min(STREAMS, sum(file.size for file in files) // LEAST))
    shares: list[list[Member]] = [[] for _ in range(count)]
    sizes = [0] * count
    for file in sorted(files, key=lambda file: -file.size):
        least = sizes.index(min(sizes))
        shares[least].append(file)
        sizes[least] += file.size + 4096
    return shares
