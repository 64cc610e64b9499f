"""Base images without a registry: made once, and Postgres is the server that golden directories are made with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.users import server_user
from dataops.infra.providers.docker.bootstrap import PYTHON, S3, bootstrap, postgres_name
from dataops.infra.providers.docker.job import JobHandler
from dataops.infra.providers.docker.listing import known_images
from support.docker_engine import OPERATION, Scene, require_images

pytestmark = [pytest.mark.docker, pytest.mark.slow]
MISSING = not shutil.which("mmdebstrap") and os.environ.get("CI") != "true"


@pytest.mark.skipif(MISSING, reason="base images need mmdebstrap")
def test_base_images_are_made_once_and_hold_the_server_of_golden_directories(here: Scene, tmp_path: Path) -> None:
    require_images()
    said: list[str] = []
    bootstrap(here.engine, tmp_path, said.append)
    said.clear()
    again = bootstrap(here.engine, tmp_path, said.append)
    assert said == [] and [image.built for image in again] == [False, False, False]
    assert {PYTHON, postgres_name(), S3} <= {image.name for image in known_images(here.engine)}
    job = here.inputs("version", image=postgres_name(), command=["postgres", "--version"])
    version = install_binaries(tmp_path, server_user()).version
    assert version in JobHandler(here.engine).create(OPERATION, job).outputs["log"]
    script = "import ssl, sqlite3, venv; print('ready')"
    job = here.inputs("python", image=PYTHON, command=["python3", "-c", script], user="1000")
    assert JobHandler(here.engine).create(OPERATION, job).outputs["log"] == "ready"
