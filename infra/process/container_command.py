"""Commands that somebody types, in a container: with the terminal, standard input and signals of whoever types them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from dataops.infra.errors import NotFoundError
from dataops.infra.process.containers import HIDDEN, ContainerPlace, ContainerProgram, labels_of, ourselves


def run_command(place: ContainerPlace, program: ContainerProgram, names: Iterable[str], *, terminal: bool) -> list[str]:
    """The `docker` command that runs a program and then removes its container.

    Args:
        place, program: what runs, and where; it gets no port.
        names: the variables of whoever becomes this command that it hands over; their values are in no argument.
        terminal: whether it has one.

    Raises:
        NotFoundError: there is no `docker` on PATH.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise NotFoundError("there is no `docker` on PATH", hint="install Docker's command line")
    mounts = [(path, str(path), ",readonly") for path in program.readable]
    mounts += [(path, str(path), "") for path in program.writable]
    mounts += [(path, inside, ",readonly") for inside, path in program.links.items()]
    handed = [name for name in names if name not in HIDDEN and name not in program.variables]
    own = {"HOME": "/tmp", **program.variables}
    return [
        *(docker, "--host", f"unix://{place.socket}", "run", "--rm", "--interactive", "--init"),
        *(["--tty"] if terminal else []),
        *("--network", place.network, "--user", program.user or ourselves()),
        *(["--workdir", program.directory] if program.directory else []),
        *("--read-only", "--tmpfs", "/tmp:rw,exec,mode=1777", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--log-driver", "none"),
        *(f"--label={name}={value}" for name, value in labels_of(Path(place.root)).items()),
        *(f"--mount=type=bind,source={source},target={target}{mode}" for source, target, mode in mounts),
        *(f"--env={name}" for name in sorted(handed)),
        *(f"--env={name}={value}" for name, value in own.items()),
        *("--entrypoint", program.command[0], place.image, *program.command[1:]),
    ]
