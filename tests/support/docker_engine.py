"""The Docker Engine of tests, the image that they run things from, and the removal of what a test made.

Where there is no engine `left_out` says why, and the end of the test run tells it; in CI it is an error.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import DataopsError, NotFoundError
from dataops.infra.process.containers import ContainerPlace, labels_of, network_name, remove_owned
from dataops.infra.process.docker_engine import DockerEngine
from dataops.infra.providers.base import Operation
from dataops.infra.providers.docker.bootstrap import PYTHON, S3, bootstrap_gateway, bootstrap_python
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.marks import selecting
from support.postgres import open_directory

IMAGE = PYTHON
IMAGES = f"images: {{python: '{IMAGE}', lake: '{S3}'}}\n"
"""What platforms of tests say of images, see `require_images`."""

OPERATION = Operation("urn:pulumi:feature-x::flights::dataops:docker:Thing::thing")


@cache
def left_out() -> str:
    """Why tests on a Docker Engine are left out on this machine; "" when they are run, which in CI they must be."""
    why = ""
    try:
        Engine().info()
    except DataopsError as error:
        why = f"{error.what}; {error.hint}"
    if not why and not shutil.which("mmdebstrap") and not Engine().client.images(IMAGE):
        why = f"there is no image {IMAGE}, and no mmdebstrap that could make it"
    if why and os.environ.get("CI") == "true":
        raise RuntimeError(f"tests on a Docker Engine cannot be run in CI: {why}")
    return why


@dataclass(frozen=True)
class Scene:
    """An environment of a test on the engine: whose things are, and a prefix that nobody else has."""

    engine: Engine
    platform: str
    environment: str = "feature-x"

    def name(self, what: str) -> str:
        """A name on the engine."""
        return f"{self.platform}-{what}"

    def inputs(self, name: str, **more: Any) -> dict[str, Any]:
        """Inputs of a resource of this environment."""
        return {"name": self.name(name), "platform": self.platform, "environment": self.environment, **more}


@contextmanager
def scene() -> Iterator[Scene]:
    """An environment with a platform of its own, whose things are gone at the end."""
    made = Scene(Engine(), f"test{secrets.token_hex(4)}")
    try:
        yield made
    finally:
        sweep(made)


def sweep(scene: Scene) -> None:
    """Removes all that carries the label of the scene's platform."""
    client, ours = scene.engine.client, selecting(scene.platform)
    for container in client.containers(all=True, filters=ours):
        client.remove_container(container["Id"], force=True, v=True)
    for network in client.networks(filters=ours):
        client.remove_network(network["Id"])
    for volume in client.volumes(filters=ours)["Volumes"] or []:
        client.remove_volume(volume["Name"], force=True)
    for image in client.images(filters=ours):
        with suppress(Exception):
            client.remove_image(image["Id"], force=True)


@cache
def require_image() -> str:
    """The base of Debian's packages that code runs on, for all tests: made once, as a registry may be out of reach.

    Without an engine the test is skipped.
    """
    if left_out():
        pytest.skip(left_out())
    with open(Path(tempfile.gettempdir(), "dataops-tests-image.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # processes that run tests side by side make it once
        bootstrap_python(Engine(), lambda _: None)
    return IMAGE


def require_images() -> None:
    """The images that environments are made from: that of `require_image`, and the S3 server of lakes.

    Without Go, or one that is built already, the test is skipped; in CI it fails.
    """
    require_image()
    with open(Path(tempfile.gettempdir(), "dataops-tests-image.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            bootstrap_gateway(Engine(), lambda _: None)
        except NotFoundError as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"{error.what}; {error.hint}")


@contextmanager
def open_environment() -> Iterator[Path]:
    """The folder of an environment where one is: networks and labels are named after it. Every user may enter it."""
    with open_directory() as home:
        folder = home / "platforms" / "shop-0" / "environments" / "one"
        folder.mkdir(parents=True)
        yield folder


@contextmanager
def container_place(root: Path, files: str = "") -> Iterator[ContainerPlace]:
    """Where the containers of an environment run, with a network of its own; nothing of it is left on the engine."""
    image, engine = require_image(), DockerEngine()
    engine.make_network(network_name(root), labels_of(root))
    yield ContainerPlace(str(root), network_name(root), image, engine.socket, files)
    remove_owned(root)


def docker(*words: str) -> str:
    """What `docker` prints."""
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()
