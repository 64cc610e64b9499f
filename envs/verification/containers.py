"""Throwaway containers, which testcontainers runs: they carry the labels of an environment, so that `gc` knows them.

Ryuk, the container with which testcontainers removes what a killed process left, is not used unless
TESTCONTAINERS_RYUK_DISABLED=false asks for it: it is an image of a registry, and would be given the engine's socket.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import ConfigurationError, DataopsError, DeadlineError, NotFoundError, ResourceError
from dataops.infra.process.containers import SHARED_MEMORY, labels_of, network_name
from dataops.infra.process.docker_engine import DockerEngine, Owned
from dataops.infra.process.ports import LOOPBACK
from dataops.infra.process.postgres_binaries import LIBRARIES, PACKAGE, PostgresBinaries
from dataops.infra.process.postgres_configuration import SUPERUSER, write_configuration
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.postgres_container import USERS, write_users
from dataops.infra.process.postgres_server import sockets_of
from dataops.infra.process.postgres_status import START_SECONDS
from dataops.infra.process.users import ServerUser

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

INSTALL = "pip install 'dataops[docker]'"
PORT = 5432


def require_engine() -> None:
    """Makes sure that containers can be run.

    Raises:
        ConfigurationError: testcontainers is not installed.
        ResourceError: no engine answers.
    """
    postgres_class()
    try:
        DockerEngine().version()
    except DataopsError as error:
        error.hint = "to verify with processes of this machine instead: --target local" + (
            f"; else {error.hint}" if error.hint else ""
        )
        raise


@contextmanager
def contained_server(
    data: Path,
    binaries: PostgresBinaries,
    user: ServerUser,
    root: Path,
    image: str,
    settings: Mapping[str, object],
    port: int = 0,
) -> Iterator[dict[str, Any]]:
    """Runs a Postgres server on a data directory in a container; gives the superuser's connection.

    The programs of the server are mounted, so that it is the very build that the directory was made by. It has no
    network, unless it is given a port of loopback.

    Raises:
        ConfigurationError: testcontainers is not installed.
        ResourceError, DeadlineError: it does not start.
    """
    sockets = sockets_of(data, user)
    number = port or PORT
    write_configuration(data, user, port=number, sockets=sockets, settings=settings, listen=bool(port), contained=True)
    write_users(data, user)
    container = _postgres(image)
    container.with_command([str(binaries.path("postgres")), "-D", str(data)])
    container.with_volume_mapping(str(data), str(data), "rw")
    container.with_volume_mapping(str(data / USERS), "/etc/passwd", "ro")
    if sockets != data:
        container.with_volume_mapping(str(sockets), str(sockets), "rw")
    installed = binaries.directory.parents[2]
    for library in (installed / PACKAGE, installed / LIBRARIES):
        if library.is_dir():
            container.with_volume_mapping(str(library), str(library), "ro")
    container.with_tmpfs_mount("/tmp")
    container.with_envs(TZ="UTC", LC_ALL="C")
    if port:
        publish(container, port)
    connection = {"host": str(sockets), "port": number, "user": SUPERUSER}
    with network(root, "warehouse") if port else nullcontext({"network_mode": "none"}) as on:
        container.with_kwargs(**closed(root), **on, user=f"{user.uid}:{user.gid}", shm_size=SHARED_MEMORY)
        with running(container):
            _wait(container, connection)
            yield connection


@contextmanager
def running(container: DockerContainer) -> Iterator[None]:
    """Runs a container of testcontainers while the block runs.

    Raises:
        NotFoundError: its image is nowhere to be had.
        ResourceError: the engine refuses.
    """
    from docker.errors import DockerException

    try:
        container.start()
    except DockerException as error:
        container.stop()
        why = str(getattr(error, "explanation", "") or error)
        if not _has(container):
            raise NotFoundError(
                f"the image {container.image} is not on the engine and cannot be pulled",
                hint="name another under `images` in dataops.yaml; `dataops images bootstrap` makes some",
                details=why,
            ) from None
        raise ResourceError(f"a throwaway container cannot be run: {why}") from None
    except BaseException:
        container.stop()
        raise
    try:
        yield
    finally:
        container.stop()


def _has(container: DockerContainer) -> bool:
    """Whether the engine has the image of a container."""
    from docker.errors import ImageNotFound

    try:
        container.get_docker_client().client.images.get(container.image)
    except ImageNotFound:
        return False
    return True


@contextmanager
def network(root: Path, what: str) -> Iterator[dict[str, str]]:
    """A network that nothing else is on while the block runs, as an option of containers."""
    engine, name = DockerEngine(), f"{network_name(root)}-{what}"
    engine.make_network(name, labels_of(root))
    try:
        yield {"network": name}
    finally:
        engine.remove(Owned("network", name, str(root)))


def publish(container: DockerContainer, port: int) -> None:
    """Has a container listen on a port of loopback; its own method publishes on every address of the machine."""
    container.ports[f"{port}/tcp"] = (LOOPBACK, port)  # type: ignore[assignment]


def require_running(container: DockerContainer, what: str) -> None:
    """Makes sure that a container has not ended.

    Raises:
        ResourceError: it has; the details are what it printed last.
    """
    container.reload()
    if container.status not in ("created", "running"):
        output, errors = container.get_logs()
        said = (errors or output).decode(errors="replace").strip().splitlines()[-5:]
        raise ResourceError(f"a throwaway {what} ended at once", details="\n".join(said)) from None


def closed(root: Path) -> dict[str, Any]:
    """What every container of ours is started with: its marks, and as little as possible of anything else."""
    return {
        "labels": labels_of(root),
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
    }


def _postgres(image: str) -> DockerContainer:
    """A Postgres of testcontainers, on data that are there already and of which the superuser has no password."""
    PostgresContainer = postgres_class()

    class ClonedPostgres(PostgresContainer):  # type: ignore[misc, valid-type]
        def _configure(self) -> None:
            """Nothing is to be made by an entry point: the data are there."""

        def _connect(self) -> None:
            """Whoever knows the socket waits for it."""

    container: DockerContainer = ClonedPostgres(image, port=PORT)
    container.ports.clear()
    return container


def postgres_class() -> type:
    """The class of Postgres containers of testcontainers, by whichever name this version has it.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        from testcontainers.core.config import testcontainers_config
    except ImportError as error:
        raise ConfigurationError(
            "testcontainers is not installed", hint=f"{INSTALL}; or verify with processes: --target local"
        ) from error
    if not os.environ.get("TESTCONTAINERS_RYUK_DISABLED"):
        testcontainers_config.ryuk_disabled = True
    try:
        from testcontainers.community.postgres import PostgresContainer
    except ImportError:
        from testcontainers.postgres import PostgresContainer
    found: type = PostgresContainer
    return found


def _wait(container: DockerContainer, connection: Mapping[str, Any]) -> None:
    """Waits until a server accepts connections."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with connect(connection):
                return
        except ResourceError:
            require_running(container, "Postgres")
            if time.monotonic() > deadline:
                raise DeadlineError(f"a throwaway Postgres did not answer within {START_SECONDS:.0f} s") from None
            time.sleep(0.05)
