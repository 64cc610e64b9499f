"""Whether a Postgres server runs on a data directory, where it listens, and how its superuser connects."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.infra.errors import DeadlineError, ResourceError
from dataops.infra.process.ports import LOOPBACK
from dataops.infra.process.postgres_configuration import SUPERUSER
from dataops.infra.process.postgres_connection import accepts_sessions
from dataops.infra.process.processes import works_in

LOCK_FILE = "postmaster.pid"
ADMINISTRATION = "dataops.superuser"
"""In a folder that stands for a cluster in a volume of an engine (`postgres_volume.py`): the superuser's password."""

PORT_NOTE = "dataops.port"
CONTAINER_NOTE = "dataops.container"
"""Beside the data of a server in a container: its process id here, and that of the process which stands for it."""

START_SECONDS = 60.0
IN_CONTAINER = 1
"""The process id that a server in a container takes itself to have."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """A running server.

    Args:
        pid: its process.
        port, sockets: where it listens.
        ready: whether it accepts connections.
        keeper: the process that a supervisor knows it by: itself, or what stands for its container.
        password_file: where the superuser's password is, who then connects by loopback; "" for the socket.
    """

    pid: int
    port: int
    sockets: Path
    ready: bool
    keeper: int = 0
    password_file: str = ""

    @property
    def connection(self) -> dict[str, Any]:
        """How the superuser connects to it."""
        if self.password_file:
            known = {"host": LOOPBACK, "port": self.port, "user": SUPERUSER}
            return {**known, "passwordFile": self.password_file}
        return {"host": str(self.sockets), "port": self.port, "user": SUPERUSER}


def status(data: Path) -> ServerStatus | None:
    """The server running on `data`, from its lock file and its process; None when there is none.

    What `initdb` runs is no server: in its lock file the process id is negative.
    """
    if (data / ADMINISTRATION).exists():
        return _status_in_volume(data)
    try:
        lines = (data / LOCK_FILE).read_text(encoding="utf-8").split("\n")
        pid = keeper = int(lines[0])
        if pid == IN_CONTAINER:
            pid, keeper = map(int, (data / CONTAINER_NOTE).read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return None
    if not works_in(pid, data):
        return None
    try:
        return ServerStatus(pid, int(lines[3]), Path(lines[4]), lines[7].strip() == "ready", keeper)
    except (IndexError, ValueError):  # it is about to write the rest
        return ServerStatus(pid, 0, Path(), False, keeper)


def _status_in_volume(data: Path) -> ServerStatus | None:
    """The server whose data are in a volume: it is told by what stands for its container, and by its port."""
    try:
        keeper = int((data / CONTAINER_NOTE).read_text(encoding="utf-8").split()[1])
        port = int((data / PORT_NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError, IndexError):
        return None
    if not works_in(keeper, data):
        return None
    password_file = str(data / ADMINISTRATION)
    return ServerStatus(keeper, port, data, accepts_sessions(LOOPBACK, port), keeper, password_file)


def wait_ready(data: Path, *, seconds: float = START_SECONDS, alive: Callable[[], bool] = lambda: True) -> ServerStatus:
    """Waits until the server on `data` accepts connections.

    Args:
        alive: called now and then; when it says False the server has given up and there is nothing to wait for.

    Raises:
        ResourceError: the server gave up.
        DeadlineError: it was not ready in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = status(data)
        if found and found.ready:
            return found
        if not found and not alive():
            raise ResourceError(f"the Postgres server of {data} ended while starting")
        if time.monotonic() > deadline:
            raise DeadlineError(f"the Postgres server of {data} was not ready within {seconds:g} s")
        time.sleep(0.01)
