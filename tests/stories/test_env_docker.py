"""What is particular to environments in containers: who sees whom, and an engine that is not as it was."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import psycopg
import pytest

from dataops.infra.process.containers import network_name
from dataops.infra.process.docker_engine import DockerEngine
from support.container_image import IMAGE, docker, require_image
from support.scratch_platform import ScratchPlatform
from support.worlds import World, containable_platform

pytestmark = [pytest.mark.slow, pytest.mark.docker]

REACH = "import socket; socket.create_connection(('{}', {}), timeout=3); print('reached')"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def platform() -> Iterator[ScratchPlatform]:
    require_image()
    with containable_platform() as made:
        yield made


def replica(platform: ScratchPlatform, branch: str) -> World:
    made = World(platform, "docker", branch)
    platform.branch(branch)
    made.up()
    return made


@pytest.fixture(scope="module")
def first(platform: ScratchPlatform) -> World:
    return replica(platform, "feature/first")


@pytest.fixture(scope="module")
def second(platform: ScratchPlatform) -> World:
    return replica(platform, "feature/second")


def warehouse(world: World) -> str:
    return f"{network_name(world.root)}-warehouse"


def test_containers_of_two_environments_cannot_reach_each_other(first: World, second: World) -> None:
    port = second.status["warehouse"]["port"]
    (network,) = json.loads(docker("inspect", warehouse(second)))[0]["NetworkSettings"]["Networks"].values()
    words = ("--", "python3", "-c", REACH.format(network["IPAddress"], port))
    assert second.shop.do("env", "exec", second.name, *words).stdout == "reached\n"
    assert first.shop.run("env", "exec", first.name, *words).status == 1


def test_containers_are_published_on_loopback_alone_and_may_do_little(first: World) -> None:
    names = [owned.name for owned in DockerEngine().owned(str(first.root)) if owned.kind == "container"]
    assert len(names) == 2
    for facts in json.loads(docker("inspect", *names)):
        host = facts["HostConfig"]
        assert {port["HostIp"] for ports in host["PortBindings"].values() for port in ports} == {"127.0.0.1"}
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["Privileged"]


def test_a_container_that_somebody_removed_comes_back_with_its_data(first: World) -> None:
    login = first.login
    docker("rm", "--force", warehouse(first))
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with psycopg.connect(login) as connection:
                assert connection.execute("SELECT count(*) FROM raw.orders").fetchone() == (50,)
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.mark.parametrize("victim", ["step_shim.py", "container_shim.py"])
def test_a_step_whose_process_is_killed_leaves_no_container(platform: ScratchPlatform, victim: str) -> None:
    branch = f"feature/lost-{victim.partition('_')[0]}"
    world = World(platform, "docker", branch)
    platform.branch(branch, {"pipelines/extract.py": "import time\ntime.sleep(600)\n"})
    world.up()
    run = platform.start("pipeline", "run", "sales", "--env", world.name)
    waiting = time.monotonic() + PATIENCE
    while not (up := step_containers(world)) and time.monotonic() < waiting:
        time.sleep(0.1)
    assert up
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if any(word.endswith(victim) for word in words) and belongs(process, world, words):
                process.kill()
    _, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1 and "step extract" in said
    assert step_containers(world) == []
    platform.do("env", "down", world.name, "--yes")


def step_containers(world: World) -> list[str]:
    return [owned.name for owned in DockerEngine().owned(str(world.root)) if "-step-extract-" in owned.name]


def belongs(process: psutil.Process, world: World, words: list[str]) -> bool:
    """Whether a process stands for, or watches over, a step of the environment."""
    about = "step-extract" in " ".join(words) if "container_shim.py" in " ".join(words) else True
    return about and process.environ().get("DATAOPS_ROOT") == str(world.root)


def test_an_engine_that_is_gone_is_named_and_down_goes_on_when_it_is_back(second: World) -> None:
    root = second.root
    foreign = f"{network_name(root)}-foreign"
    docker("network", "create", foreign)
    docker("create", "--name", f"{foreign}-1", "--network", foreign, IMAGE, "true")
    try:
        failed = second.shop.run("env", "down", second.name, "--yes", DOCKER_HOST="unix:///nonexistent/docker.sock")
        assert failed.status == 4 and "the Docker Engine does not answer" in failed.stderr
        second.shop.do("env", "down", second.name, "--yes")
        assert not root.exists() and DockerEngine().owned(str(root)) == []
        second.shop.do("gc", "--yes")
        assert docker("inspect", "--format", "{{.State.Status}}", f"{foreign}-1") == "created"
    finally:
        docker("rm", f"{foreign}-1")
        docker("network", "rm", foreign)


def test_gc_removes_what_an_environment_without_a_record_has_on_the_engine(first: World) -> None:
    root = first.root
    for record in first.shop.home.glob(f"platforms/*/registry/{first.name}.json"):
        record.unlink()
    told = first.shop.do("gc", "--dry-run").stdout
    assert warehouse_of(told, root.name)
    first.shop.do("gc", "--yes")
    assert DockerEngine().owned(str(root)) == []


def warehouse_of(text: str, name: str) -> bool:
    """Whether a listing names the container of an environment's warehouse."""
    return any("container" in line and name in line and "warehouse" in line for line in text.splitlines())
