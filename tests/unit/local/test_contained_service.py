"""A service in a container that ends at once, is never ready, or loses its port between choice and use."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import DeadlineError, ResourceError
from dataops.infra.process.containers import ContainerPlace
from dataops.infra.process.docker_engine import DockerEngine
from dataops.infra.process.ports import LOOPBACK
from dataops.infra.process.supervisor import Supervisor
from dataops.infra.providers.base import Operation
from dataops.infra.providers.local.service import ServiceHandler
from support.docker_engine import container_place, open_environment
from support.resources import Managed

pytestmark = [pytest.mark.slow, pytest.mark.docker]

PATIENCE = 60.0
OPERATION = Operation("urn:pulumi:feature-x::flights::dataops:local:Service::api")
SERVES = """
import http.server, os
address = os.environ["HOST"], int(os.environ["PORT"])
http.server.HTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def environment() -> Iterator[Path]:
    with open_environment() as folder:
        yield folder


@pytest.fixture
def place(environment: Path) -> Iterator[ContainerPlace]:
    with container_place(environment) as found:
        yield found


@pytest.fixture
def inputs(place: ContainerPlace, environment: Path, supervisor: Managed) -> dict[str, Any]:
    (environment / "environment.env").write_text("TOKEN='secret'\n")
    return {
        "supervisor": supervisor.id,
        "name": "api",
        "directory": str(environment),
        "environmentFile": str(environment / "environment.env"),
        "portVariable": "PORT",
        "health": "/",
        "logFile": str(environment / "logs" / "api.log"),
        "container": place.to_json(),
    }


def containers(place: ContainerPlace) -> list[str]:
    return [owned.name for owned in DockerEngine().owned(place.root) if owned.kind == "container"]


def test_a_service_that_ends_at_once_is_told_with_the_end_of_its_log(
    inputs: dict[str, Any], place: ContainerPlace
) -> None:
    command = ["python3", "-c", "raise SystemExit('cannot find my configuration')"]
    with pytest.raises(ResourceError, match="ended while starting") as caught:
        ServiceHandler().create(OPERATION, {**inputs, "command": command})
    assert "cannot find my configuration" in (caught.value.details or "")
    assert containers(place) == []


def test_a_service_that_is_never_ready_is_told_with_the_end_of_its_log(
    inputs: dict[str, Any], place: ContainerPlace
) -> None:
    command = ["python3", "-uc", "print('still warming up'); import time; time.sleep(600)"]
    with pytest.raises(DeadlineError, match="was not ready within 4 s") as caught:
        ServiceHandler().create(Operation(OPERATION.urn, 4), {**inputs, "command": command})
    assert "still warming up" in (caught.value.details or "")
    assert containers(place) == []


def test_a_service_gets_another_port_when_somebody_takes_the_one_that_was_chosen(
    inputs: dict[str, Any], place: ContainerPlace
) -> None:
    written = Supervisor(Path(inputs["supervisor"])).directory / "programs" / "service-api.json"
    taken: list[socket.socket] = []

    def take() -> None:
        """Listens on the port as soon as it is written down, before the container is made."""
        deadline = time.monotonic() + PATIENCE
        while not written.exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        port = int(json.loads(written.read_text())["variables"]["PORT"])
        other = socket.socket()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((LOOPBACK, port))
        other.listen()
        taken.append(other)

    thief = threading.Thread(target=take)
    thief.start()
    try:
        outputs = ServiceHandler().create(OPERATION, {**inputs, "command": ["python3", "-c", SERVES]}).outputs
        thief.join()
        assert outputs["port"] != taken[0].getsockname()[1]
    finally:
        thief.join()
        for other in taken:
            other.close()
