"""Postgres clusters as directories and processes: making, cloning, watching and stopping them.

A server runs with the data directory as its working directory and is told `-D /proc/self/cwd`: entered before
privileges are dropped, it can lie below directories that the server user may not traverse, such as root's home.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataops.infra.errors import DeadlineError, ResourceError
from dataops.infra.process.cloning import clone_tree
from dataops.infra.process.commands import last_lines, run_command
from dataops.infra.process.copying import CopyReport
from dataops.infra.process.environment import child_environment
from dataops.infra.process.postgres_binaries import PostgresBinaries
from dataops.infra.process.postgres_configuration import SUPERUSER, write_configuration
from dataops.infra.process.postgres_status import (
    CONTAINER_NOTE,
    LOCK_FILE,
    PORT_NOTE,
    ServerStatus,
    status,
    wait_ready,
)
from dataops.infra.process.processes import end_process, kill_working_in
from dataops.infra.process.programs import LaunchSpecification, launcher_command
from dataops.infra.process.removal import remove_tree
from dataops.infra.process.sockets import fallback_directory, make_socket_directory, socket_directory
from dataops.infra.process.users import ServerUser
from dataops.infra.process.warm_copies import claim

LONGEST_SOCKET = ".s.PGSQL.65535.lock"
NOT_CLONED = (
    *("postmaster.pid", "postmaster.opts", "postgresql.auto.conf", "dataops.json", PORT_NOTE),
    *(CONTAINER_NOTE, "dataops.passwd"),
)
_SEGMENT = re.compile("[0-9A-F]{24}")
STOP_SECONDS = 60.0
HERE = "/proc/self/cwd"


def initialize(data: Path, binaries: PostgresBinaries, user: ServerUser, *, sync: bool = True) -> None:
    """Makes a cluster in `data`, a new or empty directory: UTF8, builtin locale C.UTF-8, superuser `postgres`.

    Args:
        sync: whether to wait until the files are on disk; not needed for what is going to be restored into anyway.

    Raises:
        ResourceError: `initdb` fails; its last lines are the details.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    data.chmod(0o700)
    user.own(data)
    options = [
        f"--pgdata={HERE if user.dropped else data}",
        f"--username={SUPERUSER}",
        "--auth-local=peer",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--data-checksums",
        "--no-instructions",
        *([] if sync else ["--no-sync"]),
    ]
    # by the launcher, since Python forks to change the user, and a fork beside gRPC's threads may crash in its handlers
    specification = LaunchSpecification(
        command=(str(binaries.path("initdb")), *options),
        directory=str(data),
        variables={"TZ": "UTC", "LC_ALL": "C"},
        uid=user.uid if user.dropped else None,
        gid=user.gid if user.dropped else None,
    )
    # into a file: if we are killed, initdb comes to its end, whereas a broken pipe has its backend spin forever
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            launcher_command(Path("/dev/stdin")),
            input=specification.to_json().encode(),
            env=child_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output.seek(0)
        said = output.read().decode(errors="replace")
    if done.returncode != 0:
        ended = f"initdb could not make a cluster in {data} (exit status {done.returncode})"
        raise ResourceError(ended, details=last_lines(said) or None)


def clone(source: Path, data: Path) -> CopyReport:
    """Clones a stopped cluster to `data`, by the best technique there is. Configuration must be written afterwards.

    Raises:
        ResourceError: `source` is no cluster, is running, or has tablespaces, whose links would lead out of the copy.
    """
    require_clonable(source)
    began = time.monotonic()
    if claim(source, data):
        for name in NOT_CLONED:
            (data / name).unlink(missing_ok=True)
        return CopyReport("warm", 0, 0, time.monotonic() - began)
    return clone_tree(source, data, skip=NOT_CLONED)


def require_clonable(source: Path) -> None:
    """Makes sure that a directory is a stopped cluster all of which lies in it.

    Raises:
        ResourceError: it is not.
    """
    if not (source / "PG_VERSION").is_file():
        raise ResourceError(f"{source} is no Postgres data directory")
    if status(source):
        raise ResourceError(f"{source} cannot be cloned while its server runs")
    if any((source / "pg_tblspc").iterdir()):
        raise ResourceError(f"{source} has tablespaces and cannot be cloned")


def trim_log(data: Path, binaries: PostgresBinaries) -> None:
    """Removes from a cleanly stopped cluster the files of the write-ahead log that are kept for reuse.

    They hold nothing that is needed, and clones that are copies would copy them; a server makes new ones.

    Raises:
        ResourceError: the cluster was not stopped cleanly, or cannot be read.
    """
    command = [binaries.path("pg_controldata"), data]
    said = run_command(command, purpose=f"read {data}", environment={"LC_ALL": "C"}).stdout
    facts = {name: value.strip() for name, _, value in (line.partition(":") for line in said.splitlines())}
    if facts.get("Database cluster state") != "shut down":
        raise ResourceError(f"{data} was not stopped cleanly")
    needed = facts["Latest checkpoint's REDO WAL file"]
    for path in (data / "pg_wal").iterdir():
        if _SEGMENT.fullmatch(path.name) and path.name != needed:
            path.unlink()


def system_identifier(data: Path) -> str:
    """The number that names a cluster and all its clones, as `pg_controldata` prints it."""
    with open(data / "global" / "pg_control", "rb") as file:
        return str(struct.unpack("=Q", file.read(8))[0])


def stop(data: Path, *, seconds: float = STOP_SECONDS) -> None:
    """Stops the server running on `data`, if any: fast, that is without waiting for sessions, and cleanly."""
    found = status(data)
    if found:
        end_process(found.pid, signal.SIGINT, seconds)


def sockets_of(data: Path, user: ServerUser) -> Path:
    """Makes and returns the directory for the cluster's unix socket: the data directory itself if that will do."""
    directory = socket_directory(data, LONGEST_SOCKET, user)
    if directory != data:
        make_socket_directory(directory, data, user)
    return directory


def remove(data: Path) -> None:
    """Stops the server running on `data` and removes the cluster with its socket. Nothing there is no error.

    `initdb` is ended, too: unlike a server it is not bound to the life of whoever started it.
    """
    stop(data)
    if data.exists():
        kill_working_in(data, ("initdb", "postgres"))
    shutil.rmtree(fallback_directory(data), ignore_errors=True)
    remove_tree(data)


def launch_specification(data: Path, binaries: PostgresBinaries, user: ServerUser) -> LaunchSpecification:
    """How the server of `data` is started; it ends, cleanly, when whoever started it dies."""
    return LaunchSpecification(
        command=(str(binaries.path("postgres")), "-D", HERE if user.dropped else str(data)),
        directory=str(data),
        variables={"TZ": "UTC", "LC_ALL": "C"},
        uid=user.uid if user.dropped else None,
        gid=user.gid if user.dropped else None,
        death_signal=signal.SIGINT,
        stale_lock=str(data / LOCK_FILE),
    )


@contextmanager
def temporary_server(
    data: Path,
    binaries: PostgresBinaries,
    user: ServerUser,
    *,
    settings: Mapping[str, object] | None = None,
    port: int = 0,
) -> Iterator[dict[str, Any]]:
    """Runs a server on `data` within a `with` statement and gives the superuser's connection; then stops it cleanly.

    It listens on a unix socket only, unless it is given a port of loopback. It dies with the thread that entered the
    `with` statement.

    Raises:
        ResourceError, DeadlineError: it does not start.
    """
    stop(data)
    sockets = sockets_of(data, user)
    write_configuration(data, user, port=port or 5432, sockets=sockets, settings=settings, listen=bool(port))
    log = data.with_name(f"{data.name}.log")
    specification = data.with_name(f"{data.name}.launch")
    launch_specification(data, binaries, user).write(specification)
    try:
        with open(log, "wb") as output:
            process = subprocess.Popen(
                launcher_command(specification),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=child_environment({"DATAOPS_PARENT": str(os.getpid())}),
                start_new_session=True,
            )
        try:
            found = _ready_or_log(data, process, log)
            yield found.connection
        finally:
            stop(data)
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)
    finally:
        specification.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        if sockets != data:
            shutil.rmtree(sockets, ignore_errors=True)


def _ready_or_log(data: Path, process: subprocess.Popen[bytes], log: Path) -> ServerStatus:
    try:
        return wait_ready(data, alive=lambda: process.poll() is None)
    except (ResourceError, DeadlineError) as error:
        error.details = last_lines(log.read_text(encoding="utf-8", errors="replace"))
        raise


def newest_log_lines(path: Path, size: int = 16384) -> str:
    """The last lines of a log file, "" when there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return last_lines(file.read().decode(errors="replace"))
    except OSError:
        return ""
