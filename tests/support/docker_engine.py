"""The Docker Engine of tests, a small image to run things from, and the removal of what a test made.

Where there is no engine `left_out` says why, and the end of the test run tells it; in CI it is an error.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dataops.infra.errors import DataopsError
from dataops.infra.providers.base import Operation
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.marks import selecting

OPERATION = Operation("urn:pulumi:feature-x::flights::dataops:docker:Thing::thing")


@cache
def left_out() -> str:
    """Why tests on a Docker Engine are left out on this machine; "" when they are run, which in CI they must be."""
    why = ""
    try:
        Engine().info()
    except DataopsError as error:
        why = f"{error.what}; {error.hint}"
    if not why and not shutil.which("ldd"):
        why = "they make an image of this machine's own shell, which needs ldd"
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
def shell_image() -> str:
    """An image with a shell and a few commands, made of this machine's own files: no registry, and under 20 MB."""
    from docker.errors import NotFound

    engine, name = Engine(), "dataops-tests/shell:1"
    with suppress(NotFound):
        engine.client.inspect_image(name)
        return name
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(_files("sh", "sleep", "cat", "id", "touch", "ls", "env", "head", "tail", "true")):
            tar.add(os.path.realpath(path), arcname=path.lstrip("/"), recursive=False)
        for folder, mode in (("tmp", 0o1777), ("etc", 0o755), ("data", 0o777)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
    engine.client.import_image_from_data(archive.getvalue(), repository="dataops-tests/shell", tag="1")
    return name


def _files(*programs: str) -> set[str]:
    found: set[str] = set()
    for program in programs:
        path = shutil.which(program)
        assert path is not None
        linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout.split()
        found |= {f"/bin/{program}" if Path(path).parent.name == "bin" else path, *(w for w in linked if w[0] == "/")}
    return found
