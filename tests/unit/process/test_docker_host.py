"""The engine is found as the `docker` command finds it, and both clients say the same of one that is not there."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dataops.infra.errors import ConfigurationError
from dataops.infra.process.docker_engine import DockerEngine
from dataops.infra.process.docker_faults import EngineForbiddenError, EngineUnavailableError
from dataops.infra.process.docker_host import DEFAULT_HOST, docker_host, docker_socket
from dataops.infra.providers.docker.engine import Engine

CLIENTS: list[Callable[[str], object]] = [
    lambda path: DockerEngine(path).version(),
    lambda path: Engine({"DOCKER_HOST": f"unix://{path}"}).info(),
]


def context(folder: Path, name: str, host: str) -> Path:
    made = folder / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    made.mkdir(parents=True)
    (made / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    return folder / ".docker"


def test_a_variable_counts_before_a_context_and_a_context_before_the_usual_socket(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert docker_host(home) == DEFAULT_HOST
    folder = context(tmp_path, "rootless", "unix:///run/user/7/docker.sock")
    (folder / "config.json").write_text('{"currentContext": "rootless"}')
    assert docker_socket(home) == "/run/user/7/docker.sock"
    assert docker_host({**home, "DOCKER_CONTEXT": "default"}) == DEFAULT_HOST
    assert docker_host({"HOME": "/", "DOCKER_CONFIG": str(folder)}) == "unix:///run/user/7/docker.sock"
    assert docker_host({**home, "DOCKER_HOST": "unix:///other.sock"}) == "unix:///other.sock"


def test_a_context_that_is_not_there_and_an_engine_elsewhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no Docker context 'gone'"):
        docker_host({"HOME": str(tmp_path), "DOCKER_CONTEXT": "gone"})
    with pytest.raises(ConfigurationError, match="tcp://far:2376 is not one of this machine"):
        docker_socket({"DOCKER_HOST": "tcp://far:2376"})


@pytest.mark.parametrize("ask", CLIENTS)
def test_an_engine_that_is_not_there_is_told_with_what_to_do(ask: Callable[[str], object], tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="the Docker Engine does not answer") as caught:
        ask(str(tmp_path / "none.sock"))
    assert "dockerd" in (caught.value.hint or "")


@contextmanager
def nobody() -> Iterator[None]:
    """Not root, who may open every socket."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


@pytest.mark.parametrize("ask", CLIENTS)
def test_a_socket_that_may_not_be_opened_is_told(ask: Callable[[str], object], tmp_path: Path) -> None:
    path = tmp_path / "closed.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0)
        with nobody(), pytest.raises(EngineForbiddenError, match="may not open the Docker Engine's socket") as caught:
            ask(str(path))
    assert "group docker" in (caught.value.hint or "")
