"""A process that stands for a container: it leaves nothing behind, and says what became of it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.process.containers import (
    ContainerPlace,
    ContainerProgram,
    shim_command,
)
from dataops.infra.process.docker_engine import DockerEngine
from support.docker_engine import container_place

pytestmark = [pytest.mark.slow, pytest.mark.docker]

PATIENCE = 60.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerPlace]:
    with container_place(tmp_path_factory.mktemp("home") / "platforms" / "shop-0" / "environments" / "one") as found:
        yield found


def start(place: ContainerPlace, name: str, script: str, memory: int | None = None) -> subprocess.Popen[bytes]:
    program = ContainerProgram(name, ("python3", "-uc", script), "/tmp", memory=memory, stop_seconds=5)
    return subprocess.Popen(shim_command(place, program), stdout=subprocess.PIPE, start_new_session=True)


def containers(place: ContainerPlace) -> int:
    return sum(owned.kind == "container" for owned in DockerEngine().owned(place.root))


def test_what_a_container_prints_and_how_it_exits_is_passed_on(place: ContainerPlace) -> None:
    process = start(place, "talks", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    output, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, sorted(output.split())) == (7, [b"err", b"out"])
    assert containers(place) == 0


def test_a_container_that_needs_too_much_memory_is_said_to_be_out_of_memory(place: ContainerPlace) -> None:
    process = start(place, "hungry", "x = [bytearray(1 << 20) for _ in range(512)]", memory=64 << 20)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 137 and b"out of memory: it needed more than its limit of 64 MiB" in output


def test_a_signal_ends_the_container_with_its_process(place: ContainerPlace) -> None:
    process = start(place, "waits", "import time; print('up'); time.sleep(600)")
    assert process.stdout and process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert containers(place) == 0


def test_a_signal_that_comes_before_anybody_listens_is_not_lost(place: ContainerPlace) -> None:
    script = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); time.sleep(600)"
    # as the first process it never hears of a signal that it does not handle, and it would be waited for forever
    program = ContainerProgram("young", ("python3", "-c", script), "/tmp", reaped=False, stop_seconds=600)
    process = subprocess.Popen(shim_command(place, program), stdout=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + PATIENCE
    while containers(place) == 0:
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert containers(place) == 0


def test_a_signal_at_any_moment_leaves_no_container(place: ContainerPlace) -> None:
    """Also while the engine makes or starts one, which it does to the end for a client that has gone."""
    draw = random.Random(int(os.environ["DATAOPS_SEED"]))
    for _ in range(8):
        process = start(place, "struck", "import time; time.sleep(600)")
        time.sleep(draw.uniform(0, 0.8))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        assert containers(place) == 0


def test_what_a_killed_process_left_is_removed_by_the_next(place: ContainerPlace) -> None:
    killed = start(place, "again", "import time; print('up'); time.sleep(600)")
    assert killed.stdout and killed.stdout.readline() == b"up\n"
    killed.kill()
    killed.communicate(timeout=PATIENCE)
    assert containers(place) == 1
    following = start(place, "again", "print('second')")
    output, _ = following.communicate(timeout=PATIENCE)
    assert (following.returncode, output) == (0, b"second\n")
    assert containers(place) == 0


def test_an_engine_that_is_not_there_is_named(place: ContainerPlace, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="the Docker Engine does not answer"):
        DockerEngine(str(tmp_path / "docker.sock")).version()
    nowhere = ContainerPlace(place.root, place.network, place.image, str(tmp_path / "docker.sock"))
    process = start(nowhere, "lost", "print('never')")
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 125 and b"the Docker Engine does not answer" in output
