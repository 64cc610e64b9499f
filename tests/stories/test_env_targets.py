"""The life of an environment, the same on every target: as processes, and as containers."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import psycopg
import pytest

from dataops.envs.sweep import processes_of
from dataops.infra.providers.docker.bootstrap import S3
from support.apart_engine import apart_engine, copy_image
from support.console import SCRIPT
from support.docker_engine import require_images
from support.own_engine import OwnEngine, require_own_engine
from support.scratch_platform import ScratchPlatform
from support.worlds import World, containable_platform, prepared_files, prepared_image

pytestmark = pytest.mark.slow

DOCKER = pytest.mark.docker
PLACES = ("local", pytest.param("docker", marks=DOCKER), pytest.param("docker-apart", marks=DOCKER))
"""Targets, the last on an engine that sees nothing of this machine."""

PATIENCE = 60.0
QUERY = "import os, psycopg; print(*psycopg.connect(os.environ['WAREHOUSE_URL']).execute('{}').fetchone())"


@pytest.fixture(scope="module")
def platform() -> Iterator[ScratchPlatform]:
    with containable_platform() as made:
        yield made


@pytest.fixture(scope="module")
def apart(platform: ScratchPlatform) -> Iterator[World]:
    """A replica on an engine that sees nothing of this machine.

    Its first `up` was killed while it copied data, and under its second the engine was started again.
    """
    require_images()
    require_own_engine()
    with apart_engine() as engine, prepared_image() as image:
        copy_image(engine, image, S3)
        made = World(replace(platform, engine=str(engine.socket)), "docker", "feature/on-docker-apart")
        platform.branch(made.branch, prepared_files(image))
        killed = made.shop.start(*made.upping)
        while killed.poll() is None and not any("-open-" in owned.name for owned in made.engine.owned()):
            time.sleep(0.02)
        with suppress(ProcessLookupError):
            os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        under_a_restart(made, engine)
        yield from upped(made)


def under_a_restart(made: World, engine: OwnEngine) -> None:
    """Brings a replica up while its engine ends, with all containers, and starts again: that is outlasted, or told."""
    upping = made.shop.start(*made.upping)
    while upping.poll() is None and not any(owned.name.endswith("-warehouse") for owned in made.engine.owned()):
        time.sleep(0.02)
    assert upping.poll() is None
    engine.stop()
    engine.start()
    _, said = upping.communicate(timeout=PATIENCE * 3)
    assert upping.returncode == 0 or (upping.returncode == 4 and "Docker Engine" in said), said


@pytest.fixture(scope="module", params=PLACES)
def world(platform: ScratchPlatform, request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "docker-apart":
        found: World = request.getfixturevalue("apart")
        yield found
        return
    if request.param == "docker":
        require_images()
    made = World(platform, request.param, f"feature/on-{request.param}")
    platform.branch(made.branch)
    yield from upped(made)


def upped(made: World) -> Iterator[World]:
    """The replica, brought up; nothing of it is left."""
    made.up()
    yield made
    root = made.root
    made.shop.do("env", "down", made.name, "--yes")
    assert not root.exists() and not processes_of(root)
    if made.target == "docker":
        assert made.engine.owned(str(root)) == []


def owned_containers(world: World) -> set[str]:
    return {owned.name for owned in world.engine.owned(str(world.root)) if owned.kind == "container"}


def test_an_environment_says_where_it_runs_and_what_it_takes(world: World) -> None:
    found = world.status
    assert (found["state"], found["target"]) == ("ready", world.target)
    assert found["parts"] and all(part["answers"] for part in found["parts"])
    text = world.shop.do("env", "status", world.name).stdout
    assert "MiB of memory" in text and "on disk" in text


def test_bringing_up_again_changes_nothing_wherever_it_runs(world: World) -> None:
    outcome = world.shop.do("env", "up", "--branch", world.branch)
    assert "Nothing changed." in outcome.stdout


def test_pipelines_run_with_the_data_of_the_environment(world: World) -> None:
    world.ask("DELETE FROM marts.sales")
    outcome = world.shop.do("pipeline", "run", "sales", "--env", world.name)
    assert "sales ran in" in outcome.stdout and "raw.orders 50" in outcome.stdout
    assert world.ask("SELECT orders FROM marts.sales") == (50,)


def test_a_step_that_fails_is_told_with_the_end_of_its_log(world: World) -> None:
    world.ask("ALTER TABLE raw.orders RENAME TO orders_gone")
    try:
        outcome = world.shop.run("pipeline", "run", "sales", "--env", world.name, "--step", "marts")
        assert outcome.status == 1 and "step marts exited with 1" in outcome.stderr
        assert 'relation "raw.orders" does not exist' in outcome.stderr
    finally:
        world.ask("ALTER TABLE raw.orders_gone RENAME TO orders")


def test_services_answer_with_the_variables_of_the_environment(world: World) -> None:
    with urllib.request.urlopen(f"{world.status['urls']['sales-api']}/", timeout=10) as response:
        assert response.read() == b"hi"


def test_commands_run_with_code_variables_and_exit_status(world: World) -> None:
    ran = world.shop.do(
        "env", "exec", world.name, "--", "python", "-c", QUERY.format("SELECT count(*) FROM raw.orders")
    )
    assert ran.stdout == "50\n"
    assert world.shop.do("env", "exec", world.name, "--", "cat", "Pulumi.yaml").stdout.startswith("name: shop")
    assert world.shop.run("env", "exec", world.name, "--", "sh", "-c", "exit 7").status == 7


def test_logs_tell_of_the_server_and_of_steps(world: World) -> None:
    world.shop.do("pipeline", "run", "sales", "--env", world.name)
    text = world.shop.do("env", "logs", world.name, "--tail", "all").stdout
    assert "database system is ready to accept connections" in text
    assert "loaded 50 orders" in text


def test_logs_are_followed_while_the_server_writes_them(world: World) -> None:
    following = world.shop.start("env", "logs", world.name, "postgres", "-f", "--tail", "1")
    assert following.stdout is not None
    following.stdout.readline()  # it follows from here
    with pytest.raises(psycopg.errors.UndefinedTable):
        world.ask("SELECT * FROM nowhere_at_all")
    assert any("nowhere_at_all" in line for line in iter(following.stdout.readline, ""))
    os.killpg(following.pid, signal.SIGINT)
    assert following.wait(PATIENCE) == 0
    following.communicate()


def test_a_shell_has_the_terminal_the_code_and_the_variables(world: World) -> None:
    ours, theirs = pty.openpty()
    words = [str(SCRIPT), "env", "shell", world.name]
    variables = world.shop.variables(SHELL="/bin/sh", TERM="dumb")
    shell = subprocess.Popen(words, cwd=world.shop.folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, b"tty && ls && echo in-$DATAOPS_ENVIRONMENT; exit 3\n")
    said = b""
    with suppress(OSError):  # which is how the end of a terminal reads
        while piece := os.read(ours, 4096):
            said += piece
    os.close(ours)
    assert shell.wait(PATIENCE) == 3
    assert b"/dev/pts/" in said and b"Pulumi.yaml" in said and f"in-{world.name}".encode() in said


def test_data_ports_and_passwords_outlast_sleep(world: World) -> None:
    world.ask("CREATE TABLE raw.mine AS SELECT 42 AS answer")
    before, urls = world.login, world.status["urls"]
    root = world.root
    world.shop.do("env", "sleep", world.name)
    assert not processes_of(root)
    if world.target == "docker":
        assert not owned_containers(world)
    refused = world.shop.run("env", "exec", world.name, "--", "true")
    assert refused.status == 2 and f"dataops env wake {world.name}" in refused.stderr
    world.shop.do("env", "wake", world.name)
    assert (world.login, world.status["urls"]) == (before, urls)
    assert world.ask("SELECT answer FROM raw.mine") == (42,)
    test_services_answer_with_the_variables_of_the_environment(world)


def test_a_reset_brings_back_the_data_of_the_snapshot_at_the_same_address(world: World) -> None:
    before = world.login
    world.ask("TRUNCATE raw.orders")
    world.shop.do("env", "reset", world.name, "--yes")
    assert world.login == before
    assert world.ask("SELECT count(*) FROM raw.orders") == (50,)
    test_services_answer_with_the_variables_of_the_environment(world)


def test_an_environment_stays_on_its_target(world: World) -> None:
    other = "local" if world.target == "docker" else "docker"
    refused = world.shop.run("env", "up", "--branch", world.branch, "--target", other)
    assert refused.status == 2 and f"runs on the target {world.target}" in refused.stderr


@pytest.mark.docker
def test_data_that_are_carried_into_an_engine_are_said_to_be_and_none_of_them_are_here(apart: World) -> None:
    assert "copies into the Docker Engine, which does not see the files" in apart.shop.do(*status_of(apart)).stdout
    kinds = sorted(owned.kind for owned in apart.engine.owned(str(apart.root)))
    assert kinds == ["container", "container", "container", "network", "volume", "volume"]
    assert list((apart.root / "lake").iterdir()) == [] and not (apart.root / "postgres" / "base").exists()
    assert "lake:raw/orders.parquet" in apart.shop.do("env", "fingerprint", apart.name).stdout


def status_of(world: World) -> tuple[str, ...]:
    return ("env", "status", world.name)


@pytest.mark.docker
@pytest.mark.parametrize("user", ["postgres", "developer"])
def test_nobody_gets_into_a_warehouse_apart_without_a_password(apart: World, user: str) -> None:
    port = apart.status["warehouse"]["port"]
    code = f"import psycopg; psycopg.connect('host=warehouse port={port} user={user} dbname=shop password=guessed')"
    inside = apart.shop.run("env", "exec", apart.name, "--", "python", "-c", code)
    assert inside.status == 1 and "password authentication failed" in inside.stderr
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"host=127.0.0.1 port={port} user={user} dbname=shop password=guessed")


@pytest.mark.docker
@pytest.mark.torture
def test_volumes_that_somebody_removed_are_filled_again_by_the_next_up(apart: World) -> None:
    root = apart.root
    apart.shop.do("env", "sleep", apart.name)
    for owned in apart.engine.owned(str(root)):
        if owned.kind == "volume":
            apart.engine.remove(owned)
    apart.up()
    assert apart.ask("SELECT count(*) FROM raw.orders") == (50,)
    assert "lake:raw/orders.parquet" in apart.shop.do("env", "fingerprint", apart.name).stdout
    assert all(part["answers"] for part in apart.status["parts"])
