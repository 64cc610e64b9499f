"""A server that stands by: it answers questions and can be written to by nobody, temporary tables included."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataops.infra.process import postgres_server
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_configuration import write_configuration
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.programs import launcher_command
from dataops.infra.process.users import server_user
from support.postgres import FAST

SETTINGS = {**FAST, "wal_level": "replica", "restore_command": "false"}


@contextmanager
def running_standby(data: Path, home: Path) -> Iterator[dict[str, Any]]:
    """Runs a cleanly stopped data directory as a standby of nobody; gives the superuser's connection."""
    user = server_user()
    binaries = install_binaries(home, user)
    with postgres_server.temporary_server(data, binaries, user, settings=SETTINGS):
        pass  # its log tells enough from now on
    sockets = postgres_server.sockets_of(data, user)
    write_configuration(data, user, port=5432, sockets=sockets, settings=SETTINGS, listen=False)
    (data / "standby.signal").touch()
    user.own(data / "standby.signal")
    postgres_server.launch_specification(data, binaries, user).write(data.parent / "launch")
    with open(data.parent / "log", "wb") as log:
        server = subprocess.Popen(launcher_command(data.parent / "launch"), stdout=log, stderr=log)
    try:
        connection = {"host": str(sockets), "port": 5432, "user": "postgres"}
        while not _answers(connection):
            assert server.poll() is None, (data.parent / "log").read_text()
        yield connection
    finally:
        postgres_server.remove(data)
        server.wait(30)


def _answers(connection: dict[str, Any]) -> bool:
    from dataops.infra.errors import DataopsError

    try:
        with connect(connection) as session:
            return session.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
    except DataopsError:
        return False
