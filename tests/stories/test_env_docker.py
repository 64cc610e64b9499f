"""What is particular to environments in containers: who sees whom, and an engine that is not as it was."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from dataops.infra.process.containers import network_name
from dataops.infra.process.docker_engine import DockerEngine
from support.cut_engine import SOCKET, forwarding
from support.docker_engine import IMAGE, docker, require_images
from support.scratch_git import git
from support.scratch_platform import SERVICE, ScratchPlatform
from support.worlds import World, containable_platform

pytestmark = [pytest.mark.slow, pytest.mark.docker]

REACH = "import socket; socket.create_connection(('{}', {}), timeout=3); print('reached')"
PATIENCE = 60.0
OWN = f"FROM {IMAGE}\nRUN ln -s python3 /usr/bin/python\nCOPY . /srv/shop\nWORKDIR /srv/shop\n"
"""A Dockerfile of the platform's own."""
WITHOUT_OVERRIDE = ("setpriv", "--bounding-set", "-dac_override") if os.geteuid() == 0 else ()
"""As root, who may open any socket, without being allowed to."""


@pytest.fixture(scope="module")
def platform() -> Iterator[ScratchPlatform]:
    require_images()
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
    assert len(names) == 3
    for facts in json.loads(docker("inspect", *names)):
        host = facts["HostConfig"]
        assert {port["HostIp"] for ports in host["PortBindings"].values() for port in ports} == {"127.0.0.1"}
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["Privileged"]


def image_of(world: World) -> Any:
    """What the engine says of the image that an environment was built into."""
    (record,) = world.shop.home.glob(f"platforms/*/registry/{world.name}.json")
    return json.loads(docker("image", "inspect", json.loads(record.read_text())["facts"]["image"]))[0]


def test_branches_of_equal_code_share_one_image_that_says_what_it_is(first: World, second: World) -> None:
    made = image_of(first)
    assert made["Id"] == image_of(second)["Id"]
    labels = made["Config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == git(first.shop.folder, "rev-parse", first.branch)
    assert labels["org.opencontainers.image.title"] == labels["io.dataops.platform"] == "shop"
    ((mine,), (other,)) = first.images, second.images
    assert mine != other and mine.rpartition(":")[2] == other.rpartition(":")[2]


def test_images_are_listed_with_those_who_use_them(first: World, second: World) -> None:
    listed = {image["name"]: image for image in first.shop.do("images", "ls", "-o", "json").json}
    assert listed[IMAGE]["usedBy"] == ["feature-first", "feature-second"]
    (mine,) = first.images
    assert (listed[mine]["usedBy"], listed[mine]["platform"]) == (["feature-first"], "shop")
    assert mine in first.shop.do("images", "ls").stdout
    (kept,) = first.shop.home.glob("platforms/*/images/*.json")
    assert json.loads(kept.read_text())[IMAGE]["id"] == listed[IMAGE]["id"]


def test_code_that_was_edited_in_place_runs_after_the_next_up_and_the_image_before_is_collected(second: World) -> None:
    before = second.images
    added = Path(second.status["code"]) / "pipelines" / "added.py"
    added.write_text("print('edited in place')\n")
    try:
        second.shop.do("env", "up", "--branch", second.branch)
        ran = second.shop.do("env", "exec", second.name, "--", "python", "-m", "pipelines.added")
        assert ran.stdout == "edited in place\n"
        second.shop.do("gc", "--yes")
        (left,) = second.images
        assert left not in before
    finally:
        added.unlink()


def test_faults_of_engine_base_build_and_service_are_told_and_the_next_up_goes_on(platform: ScratchPlatform) -> None:
    world = World(platform, "docker", "feature/own")
    good = (platform.folder / "dataops.yaml").read_text()
    platform.branch(world.branch, {"dataops.yaml": good.replace(IMAGE, "127.0.0.1:9/nobody/none:1"), "Dockerfile": OWN})
    path = platform.home / "closed.sock"
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(path))
        closed.listen()
        path.chmod(0)
        refused = platform.run(*world.upping, prefix=WITHOUT_OVERRIDE, DOCKER_HOST=f"unix://{path}")
    # without that right a golden directory that is there already cannot be read either, and is told as well
    assert refused.status in (3, 11) and "may not open the Docker Engine's socket" in refused.stderr
    platform.do("env", "down", world.name, "--yes")
    nowhere = platform.run(*world.upping)
    assert nowhere.status == 4 and "the registry of 127.0.0.1:9/nobody/none:1 cannot be reached" in nowhere.stderr
    assert "dataops images bootstrap" in nowhere.stderr
    world.change({"dataops.yaml": good, "Dockerfile": f"{OWN}RUN echo the compiler is missing; exit 3\n"})
    failed = platform.run(*world.upping)
    assert failed.status == 4 and "it failed at `RUN echo the compiler is missing; exit 3`" in failed.stderr
    world.change({"Dockerfile": OWN, "services/sales_api.py": "raise SystemExit('it has no configuration')\n"})
    failed = platform.run(*world.upping)
    assert failed.status == 4 and "it has no configuration" in failed.stderr
    world.change({"services/sales_api.py": SERVICE})
    world.up()
    assert platform.do("env", "exec", world.name, "--", "pwd").stdout == "/srv/shop\n", "its own Dockerfile won"
    platform.do("env", "down", world.name, "--yes")
    assert world.images == []


def test_a_kill_in_a_build_ends_the_build_and_one_after_it_loses_no_image(platform: ScratchPlatform) -> None:
    world, endless = World(platform, "docker", "feature/killed"), "86399.25"
    platform.branch(world.branch, {"Dockerfile": f"{OWN}RUN sleep {endless}\n"})
    kill_when(platform.start(*world.upping), lambda: running(endless))
    wait_for(lambda: not running(endless))
    assert world.images == []
    world.change({"Dockerfile": OWN})
    kill_when(platform.start(*world.upping), lambda: world.images)
    made = world.images
    world.up()
    assert world.images == made and len(made) == 1
    root = world.root
    platform.do("env", "down", world.name, "--yes")
    assert not root.exists() and DockerEngine().owned(str(root)) == [] == world.images


@pytest.mark.skipif(not Path(SOCKET).exists() and os.environ.get("CI") != "true", reason="the engine is elsewhere")
def test_an_engine_that_goes_away_while_an_environment_is_made_is_told_and_the_next_up_goes_on(
    platform: ScratchPlatform, tmp_path: Path
) -> None:
    world = World(platform, "docker", "feature/cut")
    platform.branch(world.branch)
    for requests in sorted(random.Random(os.environ["DATAOPS_SEED"]).sample(range(1, 11), 2)):
        path = tmp_path / f"{requests}.sock"
        with forwarding(path, requests):
            cut = platform.run(*world.upping, DOCKER_HOST=f"unix://{path}")
        assert cut.status == 4 and "Docker Engine" in cut.stderr, f"after {requests} requests\n{cut.stderr}"
    world.up()
    root = world.root
    assert sum(owned.kind == "container" for owned in DockerEngine().owned(str(root))) == 3
    platform.do("env", "down", world.name, "--yes")
    assert not root.exists() and DockerEngine().owned(str(root)) == [] == world.images


def kill_when(process: subprocess.Popen[str], what: Callable[[], object]) -> None:
    """Kills a command, and it alone, as soon as something is so."""
    wait_for(what)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(word: str) -> list[psutil.Process]:
    """The processes that have a word among their arguments."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if word in process.cmdline():
                found.append(process)
    return found


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


APART = """
  report:
    dockerfile: report/Dockerfile
    steps:
      - {name: own, run: [cat, /made-by]}
      - {name: plain, run: [sh, -c, "test ! -e /made-by && echo as it is"], image: IMAGE}
services:"""


def test_a_pipeline_runs_in_the_image_of_its_own_dockerfile_and_a_step_in_the_one_it_names(
    platform: ScratchPlatform,
) -> None:
    world = World(platform, "docker", "feature/apart")
    text = (platform.folder / "dataops.yaml").read_text().replace("\nservices:", APART.replace("IMAGE", IMAGE))
    platform.branch(world.branch, {"dataops.yaml": text})
    refused = platform.run(*world.upping)
    assert refused.status == 2
    assert "has no report/Dockerfile, which pipelines.report.dockerfile names" in refused.stderr
    world.change({"report/Dockerfile": f"FROM {IMAGE}\nCOPY report /report\nRUN echo its own > /made-by\n"})
    world.up()
    assert len(world.images) == 2
    platform.do("pipeline", "run", "report", "--env", world.name)
    for step, said in (("own", "its own"), ("plain", "as it is")):
        assert said in platform.do("env", "logs", world.name, f"report/{step}").stdout
    platform.do("gc", "--yes")
    assert len(world.images) == 2, "both are in use"
    platform.do("env", "down", world.name, "--yes")
    assert world.images == []


@pytest.mark.parametrize("victim", ["container_shim.py", pytest.param("step_shim.py", marks=pytest.mark.torture)])
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
        kept = foreign_image(second)
        second.shop.do("env", "down", second.name, "--yes")
        assert not root.exists() and DockerEngine().owned(str(root)) == [] == second.images
        assert docker("image", "inspect", "--format", "{{.Id}}", kept), "not ours, whatever its name"
        second.shop.do("gc", "--yes")
        assert docker("inspect", "--format", "{{.State.Status}}", f"{foreign}-1") == "created"
    finally:
        docker("rm", f"{foreign}-1")
        docker("rmi", kept)
        docker("network", "rm", foreign)


def foreign_image(world: World) -> str:
    """An image of somebody else that is called as one of the environment would be."""
    name = f"{world.images[0].rpartition(':')[0]}:foreign"
    docker("tag", IMAGE, name)
    return name


def test_gc_removes_what_an_environment_without_a_record_has_on_the_engine(first: World) -> None:
    root = first.root
    for record in first.shop.home.glob(f"platforms/*/registry/{first.name}.json"):
        record.unlink()
    told = first.shop.do("gc", "--dry-run").stdout
    assert warehouse_of(told, root.name)
    first.shop.do("gc", "--yes")
    assert DockerEngine().owned(str(root)) == [] == first.images


def warehouse_of(text: str, name: str) -> bool:
    """Whether a listing names the container of an environment's warehouse."""
    return any("container" in line and name in line and "warehouse" in line for line in text.splitlines())
