"""The pytest plugin as a team uses it: the tests of the flights example, and what is left when a run is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.docker_engine import IMAGES, left_out, require_images
from support.scratch_git import commit
from support.scratch_platform import ScratchPlatform, scratch_platform
from support.verified import MADE_UP, PATIENCE, remains, verified_platform

pytestmark = pytest.mark.slow

FLIGHTS = Path(__file__).parents[2] / "examples" / "flights"
PYTEST = Path(sys.executable).with_name("pytest")
HOLDS = """\
import pathlib, time

def test_holds(warehouse, lake):
    assert warehouse.query("SELECT count(*) FROM raw.orders") == [(120,)]
    assert lake.read("raw/orders.parquet").num_rows == 120
    pathlib.Path("holds").touch()
    time.sleep(600)
"""


def run_tests(platform: ScratchPlatform, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PYTEST), "-q", "-p", "no:cacheprovider", "tests", *words],
        cwd=platform.folder, env=platform.variables(), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def flights() -> Iterator[ScratchPlatform]:
    """The flights example in a repository of its own."""
    with scratch_platform() as made:
        for path in made.folder.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        ignored = shutil.ignore_patterns("__pycache__", ".dataops")
        shutil.copytree(FLIGHTS, made.folder, ignore=ignored, dirs_exist_ok=True)
        text = (made.folder / "dataops.yaml").read_text(encoding="utf-8")
        commit(made.folder, {"dataops.yaml": f"{text}{IMAGES}"}, "The flights platform")
        yield made


def left(platform: ScratchPlatform) -> list[str]:
    """What test runs left on this machine."""
    return [*remains(platform), *(str(path) for path in platform.home.glob("platforms/*/registry/*"))]


def test_the_tests_of_the_flights_example_pass_and_leave_nothing(flights: ScratchPlatform) -> None:
    done = run_tests(flights)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 passed" in done.stdout
    assert left(flights) == []


@pytest.mark.docker
def test_servers_of_tests_run_in_containers_just_as_well(flights: ScratchPlatform) -> None:
    require_images()
    done = run_tests(flights, "--dataops-target", "docker", "-k", "delays or sees")
    assert done.returncode == 0, done.stdout + done.stderr
    assert left(flights) == []


def test_what_a_killed_test_run_leaves_is_nobodys_and_gc_removes_it() -> None:
    with verified_platform(produced=False, more={**MADE_UP, "tests/test_holds.py": HOLDS}) as platform:
        target = "local" if left_out() else "docker"
        words = [str(PYTEST), "-q", "-p", "no:cacheprovider", "tests", "--dataops-target", target]
        running = subprocess.Popen(words, cwd=platform.folder, env=platform.variables(), start_new_session=True)
        deadline = time.monotonic() + PATIENCE
        while not (platform.folder / "holds").exists():
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        assert platform.do("gc", "--dry-run", "-o", "json").json[0]["findings"] == [], "it is at work"
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        assert left(platform)
        platform.do("gc", "--yes")
        assert left(platform) == []


def test_what_keeps_tests_from_running_is_said_with_what_to_do(flights: ScratchPlatform) -> None:
    done = run_tests(flights, "--dataops-data", "snapshot", "-k", "may_be_run_again")
    assert done.returncode == 1 and "there is no snapshot yet" in done.stdout
    assert left(flights) == []


def test_the_plugin_imports_nothing_heavy_until_a_test_asks_for_it() -> None:
    heavy = ("docker", "testcontainers", "psycopg", "pyarrow", "pydantic", "dataops.envs")
    program = f"import sys, dataops.testing.plugin; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
