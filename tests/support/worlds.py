"""Replicas on a target, of a platform whose code runs in containers as well as in processes."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from dataops.envs.sweep import end_processes
from dataops.infra.platform.dockerfile import generated_dockerfile
from dataops.infra.process.built_images import built_images, remove_image
from dataops.infra.process.containers import remove_owned
from dataops.infra.process.docker_engine import DockerEngine, engine_is_there
from dataops.infra.providers.base import Recorded
from dataops.infra.providers.docker.bootstrap import S3
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.image import ImageHandler
from support.docker_engine import IMAGE, IMAGES, OPERATION
from support.scratch_git import commit, git
from support.scratch_platform import PLATFORM, ScratchPlatform, scratch_platform

REQUIREMENTS = "requirements.txt"
NEEDED = ("psycopg", "psycopg-binary", "pyarrow", "typing_extensions")


@dataclass(frozen=True)
class World:
    """A replica on a target."""

    shop: ScratchPlatform
    target: str
    branch: str

    @property
    def name(self) -> str:
        return self.branch.replace("/", "-")

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.shop.do("env", "status", self.name, "-o", "json").json
        return found

    @property
    def root(self) -> Path:
        return Path(self.status["root"])

    @property
    def login(self) -> str:
        url: str = self.shop.do("env", "connect", self.name, "--show-password", "-o", "json").json["url"]
        return url

    @property
    def engine(self) -> DockerEngine:
        """The engine that it is on."""
        return DockerEngine(self.shop.engine)

    @property
    def images(self) -> list[str]:
        """The names that images have for the environment."""
        (platform,) = self.shop.home.glob("platforms/*")
        return [image.reference for image in built_images(self.engine, platform, self.name)]

    def ask(self, query: str) -> Any:
        """The first row of a query, as the developer."""
        with psycopg.connect(self.login, autocommit=True) as connection:
            found = connection.execute(query.encode())
            return found.fetchone() if found.description else None

    @property
    def upping(self) -> tuple[str, ...]:
        """The words that bring it up."""
        return ("env", "up", "--branch", self.branch, "--target", self.target)

    def up(self) -> None:
        self.shop.do(*self.upping)

    def change(self, files: dict[str, str]) -> None:
        """Commits to its branch, and leaves main checked out."""
        git(self.shop.folder, "switch", "--quiet", self.branch)
        commit(self.shop.folder, files, "Change again")
        git(self.shop.folder, "switch", "--quiet", "main")


@contextmanager
def prepared_image() -> Iterator[str]:
    """An image of the usual engine that has what the platform's code needs, for engines that reach no package index."""
    handler, name = ImageHandler(Engine()), f"dataops-tests/prepared-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, REQUIREMENTS).write_text(requirements())
        text = generated_dockerfile(IMAGE, [REQUIREMENTS])
        inputs = {"name": name, "platform": "tests", "environment": "", "context": folder, "dockerfileText": text}
        made = handler.create(OPERATION, inputs)
    try:
        yield str(made.outputs["reference"])
    finally:
        handler.delete(OPERATION, Recorded(made.id, inputs, made.outputs))


def requirements() -> str:
    """The requirements of the platform's code."""
    return "".join(f"{name}=={version(name)}\n" for name in NEEDED)


def prepared_files(image: str) -> dict[str, str]:
    """What a branch changes so that its code runs in an image that is prepared, which nothing else is needed for."""
    platform = f"{PLATFORM.replace('PYTHON', 'python')}images: {{python: '{image}', lake: '{S3}'}}\n"
    return {"dataops.yaml": platform, "Dockerfile": f"FROM {image}\nCOPY . /app\n"}


@contextmanager
def containable_platform(*options: str) -> Iterator[ScratchPlatform]:
    """A platform with production and a snapshot, whose code brings what it needs; no container or image is left.

    Args:
        options: further ones for the deployment of production.
    """
    files = {
        "dataops.yaml": f"{PLATFORM.replace('PYTHON', 'python')}{IMAGES}",
        REQUIREMENTS: requirements(),
    }
    with scratch_platform(files) as made:
        made.produce(*options)
        try:
            yield made
        finally:
            if engine_is_there():
                for root in made.roots():
                    end_processes(root)  # or they would start containers again
                    remove_owned(root)
                engine = DockerEngine()
                for folder in made.home.glob("platforms/*"):
                    for image in built_images(engine, folder):
                        remove_image(engine, image.reference)
