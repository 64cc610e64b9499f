"""Programs in containers: the command of a program becomes that of a shim which stands for a container.

Everything lies at the same paths inside and outside, so that what one side writes down means the same to the other; the
root of the container's own file system is read-only, and of this machine it sees what it is given.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from dataops.infra.process.docker_engine import (
    ENVIRONMENT_LABEL,
    OWNER_LABEL,
    PLATFORM_LABEL,
    ROOT_LABEL,
    DockerEngine,
)
from dataops.infra.process.environment import INHERITED
from dataops.infra.process.identity import user_name

SHIM = Path(__file__).with_name("container_shim.py")
SHARED_MEMORY = 1 << 30
STOP_SECONDS = 8
LONGEST_NAME = 40
SHARED, CARRIED = "shared", "carried"
"""How files get into containers: mounted where they lie, or copied into the engine, which does not see them."""
HIDDEN = frozenset({*INHERITED, "VIRTUAL_ENV", "PYTHONPYCACHEPREFIX", "DATAOPS_PROGRAM", "DATAOPS_PARENT"}) - {
    "LANG",
    "TERM",
    "TZ",
}
"""Variables of programs on this machine that mean nothing in a container."""


@dataclass(frozen=True, slots=True)
class ContainerPlace:
    """Where an environment's containers run.

    Args:
        root: the environment's folder.
        network: the environment's own network.
        image: the id of the image that they run in.
        socket: the engine's.
        files: `CARRIED` where the engine does not see the files of this machine, so that they are carried into it;
            anything else where it mounts them.
    """

    root: str
    network: str
    image: str
    socket: str
    files: str = ""

    @property
    def carried(self) -> bool:
        """Whether files are carried into the engine, rather than mounted."""
        return self.files == CARRIED

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ContainerPlace:
        """Reads what `to_json` wrote."""
        return cls(**{each.name: str(document.get(each.name, "")) for each in fields(cls)})

    def to_json(self) -> dict[str, str]:
        """As inputs of resources and as the plan of runs hold it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Handed:
    """Files that are put into a volume each time before the container starts.

    Args:
        into: the folder inside, which is there.
        files: files of this machine, by their names below it.
    """

    into: str
    files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class ContainerProgram:
    """A program in a container.

    Args:
        name: what it is called within its environment; also its name on the network.
        command, directory: what runs, and where; "" for where the image says.
        readable, writable: paths of this machine that it sees.
        links: files of this machine, by the path that they have inside.
        shared: folders of this machine that it writes, by the path that they have inside.
        volumes: volumes of the engine, by the path that they have inside; "" for one that goes with the container.
        handed: what is put into them before it starts.
        returned: the variable that names a file in one of `volumes` which is fetched at the end, "" for none.
        user: `uid:gid`; by default our own.
        variables: variables on top of those that its process has here.
        port_variable, port_file: where the port is told that is published on loopback, "" for none.
        pid_file: where its process id is noted, "" for nowhere.
        stop_signal, stop_seconds: how it is asked to end, and how long it has.
        reaped: whether it runs below an init of the engine, which collects what it leaves and passes signals on.
        memory, processor_seconds, open_files: limits, None for none.
    """

    name: str
    command: Sequence[str]
    directory: str
    readable: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    links: Mapping[str, Path] = field(default_factory=dict)
    shared: Mapping[str, Path] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    handed: Handed | None = None
    returned: str = ""
    user: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    port_variable: str = ""
    port_file: str = ""
    pid_file: str = ""
    stop_signal: str = "SIGTERM"
    stop_seconds: int = STOP_SECONDS
    reaped: bool = True
    memory: int | None = None
    processor_seconds: int | None = None
    open_files: int | None = None


def carried_place(inputs: Mapping[str, Any]) -> ContainerPlace | None:
    """The `container` of a resource, where data are carried into its engine; None where they are on this machine."""
    place = ContainerPlace.of(inputs["container"]) if inputs.get("container") else None
    return place if place and place.carried else None


def ourselves() -> str:
    """The user that runs dataops, as an engine names it."""
    return f"{os.geteuid()}:{os.getegid()}"


def network_name(root: Path) -> str:
    """The name of an environment's network: it depends on its folder alone."""
    return f"dataops-{root.name[:LONGEST_NAME]}-{_digest(root)}"


def container_name(place: ContainerPlace, program: str) -> str:
    """What the container of a program is called on the engine."""
    return f"{network_name(Path(place.root))}-{program}"


def labels_of(root: Path) -> dict[str, str]:
    """The labels of everything that an environment has on an engine."""
    platform = root.parent.parent.name.rpartition("-")[0]
    own = {ENVIRONMENT_LABEL: root.name, PLATFORM_LABEL: platform, OWNER_LABEL: user_name()}
    return {ROOT_LABEL: str(root), **own}


def shim_command(place: ContainerPlace, program: ContainerProgram) -> tuple[str, ...]:
    """The command that runs a program in a container, as long as its own process runs."""
    specification = {
        "socket": place.socket,
        "name": container_name(place, program.name),
        "body": _body(place, program),
        "hidden": sorted(HIDDEN),
        "variables": {"HOME": "/tmp", **program.variables},
        "portVariable": program.port_variable,
        "portFile": program.port_file,
        "pidFile": program.pid_file,
        "stopSeconds": program.stop_seconds,
        **_passed_on(program),
    }
    return (sys.executable, "-I", "-S", str(SHIM), json.dumps(specification, sort_keys=True))


def code_program(
    place: ContainerPlace,
    name: str,
    command: Sequence[str],
    variables: Mapping[str, str] | None = None,
    report: str = "",
    **limits: Any,
) -> ContainerProgram:
    """A program of the branch's own code, which is in the image; it writes reports.

    Args:
        place: where it runs.
        name, command: as of `ContainerProgram`.
        variables: variables on top of the environment's.
        report: the variable that names the file in which it reports, "" where it does not.
        limits: further fields of `ContainerProgram`.
    """
    reports = Path(place.root) / "logs" / "runs"
    reports.mkdir(parents=True, exist_ok=True)
    own = {"PYTHONUNBUFFERED": "1", **(variables or {})}
    where: dict[str, Any] = {"writable": [reports]}
    if place.carried:
        where = {"volumes": {str(reports): ""}, "returned": report} if report else {}
    return ContainerProgram(name=name, command=command, directory="", variables=own, **where, **limits)


def _passed_on(program: ContainerProgram) -> dict[str, Any]:
    """What the shim puts into the container, and fetches from it."""
    uid, _, gid = (program.user or ourselves()).partition(":")
    owner = {"uid": int(uid), "gid": int(gid)}
    handed: dict[str, Any] | None = None
    if program.handed:
        files = {name: str(path) for name, path in program.handed.files.items()}
        handed = {"into": program.handed.into, "folders": [], "files": files, **owner}
    below = next((inside for inside, name in program.volumes.items() if not name), "")
    returned = {"variable": program.returned, "below": below, **owner} if program.returned else None
    return {"handed": handed, "returned": returned}


def _body(place: ContainerPlace, program: ContainerProgram) -> dict[str, Any]:
    limits = [("cpu", program.processor_seconds), ("nofile", program.open_files)]
    host = {
        "NetworkMode": place.network,
        "Mounts": [
            *(_mount(path, str(path), read_only=True) for path in program.readable),
            *(_mount(path, str(path), read_only=False) for path in program.writable),
            *(_mount(path, inside, read_only=True) for inside, path in program.links.items()),
            *(_mount(path, inside, read_only=False) for inside, path in program.shared.items()),
            *(_volume(place, name, inside) for inside, name in program.volumes.items()),
        ],
        "Tmpfs": {"/tmp": "rw,exec,mode=1777"},
        "ReadonlyRootfs": True,
        "Init": program.reaped,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ShmSize": SHARED_MEMORY,
        # the shim passes on what is printed to a log that is rotated
        "LogConfig": {"Type": "none"},
        "Memory": program.memory or 0,
        "MemorySwap": program.memory or 0,
        "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in limits if value is not None],
    }
    return {
        "Image": place.image,
        "Entrypoint": [program.command[0]],
        "Cmd": list(program.command[1:]),
        "WorkingDir": program.directory,
        "User": program.user or ourselves(),
        "Labels": labels_of(Path(place.root)),
        "StopSignal": program.stop_signal,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": {place.network: {"Aliases": [program.name]}}},
    }


def _mount(path: Path, inside: str, *, read_only: bool) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(path), "Target": inside, "ReadOnly": read_only}


def _volume(place: ContainerPlace, name: str, inside: str) -> dict[str, Any]:
    # an engine makes a volume that is not there: it must be known as ours, too
    options = {"Labels": labels_of(Path(place.root)), "NoCopy": True}
    return {"Type": "volume", **({"Source": name} if name else {}), "Target": inside, "VolumeOptions": options}


def _digest(root: Path) -> str:
    return hashlib.sha256(os.fsencode(root)).hexdigest()[:8]


def remove_owned(root: Path, kinds: Sequence[str] = ("container", "network", "volume")) -> list[str]:
    """Removes what the environment at `root` has on this machine's engine; what it was.

    Raises:
        ResourceError: the engine does not answer.
    """
    engine = DockerEngine()
    found = [owned for owned in engine.owned(str(root)) if owned.kind in kinds]
    for owned in found:
        engine.remove(owned)
    return [f"{owned.kind} {owned.name}" for owned in found]
