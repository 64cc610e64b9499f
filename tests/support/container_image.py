"""The Docker Engine of the machine that tests run on, and an image for the containers of tests."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from dataops.infra.errors import DataopsError, NotFoundError
from dataops.infra.process.docker_engine import DockerEngine

IMAGE = f"dataops-test-python:{sys.version_info.major}.{sys.version_info.minor}"
DEBIAN = {(3, 11): "bookworm", (3, 13): "trixie"}
"""The release of Debian that has a version of Python."""


def require_image() -> str:
    """The image, made of Debian's packages as a registry may be out of reach; without an engine the test is skipped."""
    engine = DockerEngine()
    try:
        engine.version()
    except DataopsError as error:
        _leave_out(f"no Docker Engine: {error.what}")
    try:
        engine.ask("GET", f"/images/{IMAGE}/json", doing="looking for the image of tests")
        return IMAGE
    except NotFoundError:
        pass
    release = DEBIAN.get(sys.version_info[:2])
    if release is None or platform.system() != "Linux" or not shutil.which("mmdebstrap"):
        _leave_out(f"no image {IMAGE}, and no mmdebstrap that could make it")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", "--include=python3", release, str(archive)],
            check=True,
            capture_output=True,
        )
        docker("import", str(archive), IMAGE)
    return IMAGE


def _leave_out(why: str) -> NoReturn:
    """Skips the test; in CI, where nothing may be missing, fails it."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def docker(*words: str) -> str:
    """What `docker` prints."""
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()
