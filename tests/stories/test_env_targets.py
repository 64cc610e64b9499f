"""The life of an environment, the same on every target: as processes, and as containers."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from dataops.envs.sweep import processes_of
from dataops.infra.process.docker_engine import DockerEngine
from support.console import SCRIPT
from support.docker_engine import require_images
from support.scratch_platform import ScratchPlatform
from support.worlds import World, containable_platform

pytestmark = pytest.mark.slow

TARGETS = ("local", pytest.param("docker", marks=pytest.mark.docker))
PATIENCE = 60.0
QUERY = "import os, psycopg; print(*psycopg.connect(os.environ['WAREHOUSE_URL']).execute('{}').fetchone())"


@pytest.fixture(scope="module")
def platform() -> Iterator[ScratchPlatform]:
    with containable_platform() as made:
        yield made


@pytest.fixture(scope="module", params=TARGETS)
def world(platform: ScratchPlatform, request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(platform, request.param, f"feature/on-{request.param}")
    if made.target == "docker":
        require_images()
    platform.branch(made.branch)
    made.up()
    yield made
    root = made.root
    platform.do("env", "down", made.name, "--yes")
    assert not root.exists() and not processes_of(root)
    if made.target == "docker":
        assert DockerEngine().owned(str(root)) == []


def owned_containers(world: World) -> set[str]:
    return {owned.name for owned in DockerEngine().owned(str(world.root)) if owned.kind == "container"}


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
