"""Production in containers: it stays where it is, keeps its data whatever is deployed, and is copied like any other."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dataops.infra.process.containers import network_name
from dataops.infra.process.docker_engine import DockerEngine
from support.docker_engine import IMAGE, docker, require_images
from support.scratch_git import commit
from support.scratch_platform import ScratchPlatform
from support.worlds import World, containable_platform

pytestmark = [pytest.mark.slow, pytest.mark.docker]

OTHER_IMAGE = "dataops-test-other-python:1"
PATIENCE = 60.0
SERVERS = ("warehouse", "lake")


@pytest.fixture(scope="module")
def platform() -> Iterator[ScratchPlatform]:
    require_images()
    with containable_platform("--target", "docker") as made:
        yield made


@pytest.fixture(scope="module")
def production(platform: ScratchPlatform) -> World:
    return World(platform, "docker", "production")


def connection(world: World, role: str) -> dict[str, Any]:
    """How a role gets in, with its secrets."""
    words = ("env", "connect", world.name, "--role", role, "--show-password", "-o", "json")
    found: dict[str, Any] = world.shop.do(*words).json
    return found


def ask(url: str, query: str) -> Any:
    with psycopg.connect(url, autocommit=True) as opened:
        found = opened.execute(query.encode())
        return found.fetchone() if found.description else None


def image_of(world: World, program: str) -> str:
    return docker("inspect", "--format", "{{.Image}}", f"{network_name(world.root)}-{program}")


def test_production_runs_in_containers_with_a_key_for_each_person(production: World) -> None:
    found = production.status
    assert (found["state"], found["target"], found["lake"]) == ("ready", "docker", "s3://production-lake")
    assert all(part["answers"] for part in found["parts"])
    names = {owned.name for owned in DockerEngine().owned(str(production.root)) if owned.kind == "container"}
    assert {f"{network_name(production.root)}-{name}" for name in (*SERVERS, "sales-api")} == names
    ada = connection(production, "ada")
    assert ada["lake"]["AWS_ACCESS_KEY_ID"] == "ada" and ada["lake"]["AWS_SECRET_ACCESS_KEY"]
    assert ask(ada["url"], "SELECT orders FROM marts.sales") == (50,)


def test_data_addresses_and_secrets_outlast_deployments_of_other_code_in_another_image(
    platform: ScratchPlatform, production: World, tmp_path: Path
) -> None:
    before, urls = connection(production, "pipeline"), production.status["urls"]
    ask(before["url"], "CREATE TABLE raw.kept AS SELECT 42 AS answer")
    platform.do("env", "exec", "production", "--", "python", "-c", PUT)
    old = image_of(production, "sales-api")
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nLABEL other=1\n")
    docker("build", "--quiet", "--tag", OTHER_IMAGE, str(tmp_path))
    configuration = Path(platform.folder, "dataops.yaml").read_text().replace(f"'{IMAGE}'", f"'{OTHER_IMAGE}'")
    factor = Path(platform.folder, "pipelines/marts.py").read_text().replace("FACTOR = 1", "FACTOR = 2")
    commit(platform.folder, {"dataops.yaml": configuration, "pipelines/marts.py": factor}, "Change all there is")
    try:
        platform.do("env", "deploy", "production", "--yes")
        assert image_of(production, "sales-api") != old and image_of(production, "warehouse") != old
        assert (connection(production, "pipeline"), production.status["urls"]) == (before, urls)
        assert ask(before["url"], "SELECT answer FROM raw.kept") == (42,)
        assert platform.do("env", "exec", "production", "--", "python", "-c", GET).stdout == "kept\n"
        total = ask(before["url"], "SELECT total FROM marts.sales")[0]
        platform.do("pipeline", "run", "sales", "--env", "production")
        assert ask(before["url"], "SELECT total FROM marts.sales") == (2 * total,)
        assert "Nothing changed." in platform.do("env", "deploy", "production", "--yes").stdout
    finally:
        ask(before["url"], "DROP TABLE raw.kept")
        platform.do("env", "exec", "production", "--", "python", "-c", DELETE)


LAKE = "import os; from pyarrow import fs; f, lake = fs.FileSystem.from_uri(os.environ['LAKE_URL']);"
PUT = f"{LAKE} made = f.open_output_stream(lake + '/kept.txt'); made.write(b'kept'); made.close()"
GET = f"{LAKE} print(f.open_input_stream(lake + '/kept.txt').read().decode())"
DELETE = f"{LAKE} f.delete_file(lake + '/kept.txt')"


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_of_production_that_somebody_removed_comes_back_with_its_data(production: World, server: str) -> None:
    url = connection(production, "pipeline")["url"]
    docker("rm", "--force", f"{network_name(production.root)}-{server}")
    deadline = time.monotonic() + PATIENCE
    while True:
        ran = production.shop.run("pipeline", "run", "sales", "--env", "production")
        if ran.status == 0:
            break
        assert time.monotonic() < deadline, ran.stderr
    assert ask(url, "SELECT count(*) FROM raw.orders") == (50,)


def test_production_stays_on_its_target_and_the_way_to_another_is_told(
    platform: ScratchPlatform, production: World
) -> None:
    refused = platform.run("env", "deploy", "production", "--yes", "--target", "local")
    assert refused.status == 2 and "production runs on the target docker" in refused.stderr
    assert "save its data, which nothing else has" in refused.stderr
    assert production.status["target"] == "docker"
    # what a developer prefers for replicas is not meant
    again = platform.do("env", "deploy", "production", "--yes", DATAOPS_TARGET="local")
    assert "Nothing changed." in again.stdout


@pytest.mark.parametrize("target", ["docker", "local"])
def test_replicas_on_every_target_are_made_of_a_snapshot_of_production_in_containers(
    platform: ScratchPlatform, target: str
) -> None:
    replica = World(platform, target, f"feature/of-containers-{target}")
    platform.branch(replica.branch)
    replica.up()
    count, masked = replica.ask("SELECT count(*), count(*) FILTER (WHERE customer LIKE 'Customer %') FROM raw.orders")
    assert (count, masked) == (50, 0)
    platform.do("pipeline", "run", "sales", "--env", replica.name, "--from", "load")
    assert replica.ask("SELECT orders FROM marts.sales") == (50,)
    platform.do("env", "down", replica.name, "--yes")


def test_the_target_of_staging_may_stand_in_the_configuration(platform: ScratchPlatform) -> None:
    text = Path(platform.folder, "dataops.yaml").read_text()
    declared = text.replace("environments:\n", "environments:\n  staging: {target: docker}\n")
    commit(platform.folder, {"dataops.yaml": declared}, "Have staging in containers")
    planned = platform.do("env", "plan", "staging", "-o", "json").json
    assert planned["target"] == "docker"
    otherwise = platform.do("env", "plan", "staging", "--target", "local", "-o", "json").json
    assert otherwise["target"] == "local"


def test_production_leaves_nothing_on_the_engine(platform: ScratchPlatform, production: World) -> None:
    root = production.root
    platform.do("env", "down", "production", "--yes", "--force")
    assert not root.exists() and DockerEngine().owned(str(root)) == []
    assert json.loads(platform.do("env", "ls", "-o", "json").stdout) == []
    docker("image", "rm", OTHER_IMAGE)
