"""A Postgres server in a container, on a data directory and with programs of this machine.

The container runs the very build that the directory was made by, since the server's programs are mounted into it, and
as the same user. Data and sockets have the same paths on both sides: whoever may connect to the socket here may do so
whether the server is in a container or not.
"""

from __future__ import annotations

import signal
from pathlib import Path

from dataops.infra.process.containers import ContainerPlace, ContainerProgram, shim_command
from dataops.infra.process.postgres_binaries import LIBRARIES, PACKAGE, PostgresBinaries
from dataops.infra.process.postgres_server import STOP_SECONDS
from dataops.infra.process.postgres_status import CONTAINER_NOTE, LOCK_FILE
from dataops.infra.process.programs import LaunchSpecification
from dataops.infra.process.users import ServerUser, operating_user

WAREHOUSE = "warehouse"
"""What the server is called on the environment's network."""

USERS = "dataops.passwd"
"""Names of users, by which peer authentication knows who connects; an image has others."""


def container_launch(
    place: ContainerPlace, data: Path, sockets: Path, binaries: PostgresBinaries, user: ServerUser
) -> LaunchSpecification:
    """How the server of `data` is started in a container; it ends, cleanly, when whoever started it dies."""
    write_users(data, user)
    installed = binaries.directory.parents[2]
    libraries = [path for path in (installed / PACKAGE, installed / LIBRARIES) if path.is_dir()]
    program = ContainerProgram(
        name=WAREHOUSE,
        command=(str(binaries.path("postgres")), "-D", str(data)),
        directory=str(data),
        readable=libraries,
        writable=[data, *([sockets] if sockets != data else [])],
        links={"/etc/passwd": data / USERS},
        user=f"{user.uid}:{user.gid}",
        variables={"TZ": "UTC", "LC_ALL": "C"},
        port_file=str(data / "dataops.port"),
        pid_file=str(data / CONTAINER_NOTE),
        reaped=False,  # it does that itself, and is known by being the first process
        stop_signal="SIGINT",
        stop_seconds=int(STOP_SECONDS) - 5,
    )
    return LaunchSpecification(
        command=shim_command(place, program),
        directory=str(data),
        variables={},
        death_signal=signal.SIGTERM,
        stale_lock=str(data / LOCK_FILE),
    )


def write_users(data: Path, user: ServerUser) -> None:
    """Writes the names of users for a container that runs the server of `data`."""
    users = {"root": (0, 0), user.name: (user.uid, user.gid)}
    if not user.dropped:
        users[operating_user()] = (user.uid, user.gid)
    lines = [f"{name}:x:{uid}:{gid}::/tmp:/usr/sbin/nologin\n" for name, (uid, gid) in users.items()]
    (data / USERS).write_text("".join(lines), encoding="utf-8")
    (data / USERS).chmod(0o644)
