"""An engine that is started again in the middle, or whose disk is full, is told, and the next run converges."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from dataops.infra.errors import DataopsError, ResourceError
from dataops.infra.process.containers import CARRIED, ContainerPlace, network_name
from dataops.infra.process.docker_engine import DockerEngine
from dataops.infra.process.docker_faults import EngineFullError
from dataops.infra.process.engine_archives import Tree
from dataops.infra.process.engine_volumes import fill_volume, read_volume
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.image import ImageHandler
from dataops.infra.providers.docker.job import JobHandler
from dataops.infra.providers.docker.network import NetworkHandler
from support.docker_engine import OPERATION
from support.own_engine import OwnEngine, import_shell, own_engine, require_own_engine
from support.small_disk import small_disk, small_disks

pytestmark = [pytest.mark.docker, pytest.mark.slow]
PATIENCE = 60.0
WHOSE = {"platform": "own", "environment": "feature-x"}


@pytest.fixture
def engine() -> Iterator[OwnEngine]:
    require_own_engine()
    with own_engine() as made:
        yield made


def fails(client: Engine, work: Callable[[], Any], meanwhile: Callable[[], None]) -> DataopsError | None:
    """What some work failed with while something else was done to its engine; None where it did not."""
    failed: list[DataopsError] = []

    def try_it() -> None:
        try:
            work()
        except DataopsError as error:
            failed.append(error)
        finally:
            client.client.close()

    thread = threading.Thread(target=try_it)
    thread.start()
    meanwhile()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    return failed[0] if failed else None


def begun(word: str) -> None:
    """Waits until a process runs that has a word among its arguments."""
    deadline = time.monotonic() + PATIENCE
    while not any(word in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])):
        assert time.monotonic() < deadline
        time.sleep(0.05)


# the library closes no log that is cut off
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_restarted_while_it_builds_or_starts_is_told_and_the_next_run_converges(
    engine: OwnEngine, tmp_path: Path
) -> None:
    client = engine.client()
    shell = import_shell(client)

    def restart_when(word: str) -> Callable[[], None]:
        def restart() -> None:
            begun(word)
            engine.stop()
            engine.start()

        return restart

    endless = f"86398.{os.getpid()}"
    text = f"FROM {shell}\nRUN sleep {endless}\n"
    inputs = {**WHOSE, "name": "own/code", "context": str(tmp_path), "dockerfileText": text, "network": "none"}
    handler = ImageHandler(client)
    failed = fails(client, lambda: handler.create(OPERATION, inputs), restart_when(endless))
    assert isinstance(failed, ResourceError)
    made = handler.create(OPERATION, {**inputs, "dockerfileText": f"FROM {shell}\nCMD sleep 1\n"}).outputs
    network = {**WHOSE, "name": "own-network"}
    NetworkHandler(client).create(OPERATION, network)
    waiting = f"86397.{os.getpid()}"
    job = {
        **WHOSE, "name": "own-job", "image": made["reference"], "command": ["sleep", waiting], "stopTimeout": 1,
        "networks": [{"name": "own-network"}],
    }  # fmt: skip
    failed = fails(client, lambda: JobHandler(client).create(OPERATION, job), restart_when(waiting))
    assert isinstance(failed, ResourceError)
    assert JobHandler(client).create(OPERATION, {**job, "command": ["sleep", "0"]}).outputs["exitCode"] == 0
    assert len(client.client.containers(all=True)) == 1
    del failed
    gc.collect()


@pytest.mark.skipif(not small_disks() and os.environ.get("CI") != "true", reason="only root may mount a small disk")
def test_a_build_that_fills_the_disk_of_the_engine_is_told(tmp_path: Path) -> None:
    require_own_engine()
    context, data = tmp_path / "code", tmp_path / "data"
    context.mkdir()
    data.mkdir()
    with small_disk(data, 96), own_engine(data) as engine:
        client = engine.client()
        text = f"FROM {import_shell(client)}\nRUN head -c 300000000 /dev/zero > /big\n"
        inputs = {**WHOSE, "name": "own/code", "context": str(context), "dockerfileText": text, "network": "none"}
        with pytest.raises(EngineFullError, match="disk of the Docker Engine is full"):
            ImageHandler(client).create(OPERATION, inputs)
        small = {**inputs, "dockerfileText": text.replace("300000000", "3000")}
        assert ImageHandler(client).create(OPERATION, small).outputs["imageId"]


@pytest.mark.skipif(not small_disks() and os.environ.get("CI") != "true", reason="only root may mount a small disk")
def test_data_that_do_not_fit_on_the_disk_of_the_engine_are_told_and_nothing_of_them_is_left(tmp_path: Path) -> None:
    require_own_engine()
    data, source = tmp_path / "data", tmp_path / "source"
    for folder in (data, source):
        folder.mkdir()
    (source / "small").write_bytes(b"small")
    with small_disk(data, 96), own_engine(data) as engine:
        image = import_shell(engine.client())
        root = tmp_path / "platforms" / "shop-0" / "environments" / "feature-x"
        place = ContainerPlace(str(root), network_name(root), image, str(engine.socket), CARRIED)
        there = DockerEngine(place.socket)
        for part in range(4):
            (source / str(part)).write_bytes(os.urandom(40 << 20))
        with pytest.raises(EngineFullError, match="disk of the Docker Engine is full"):
            fill_volume(place, "warehouse", [Tree(source, "data", 0, 0)])
        assert there.owned(place.root) == []
        for part in range(4):
            (source / str(part)).unlink()
        fill_volume(place, "warehouse", [Tree(source, "data", 0, 0)])
        read_volume(place, "warehouse", "data", tmp_path / "back")
        assert [path.name for path in (tmp_path / "back").iterdir()] == ["small"]
        for owned in there.owned(place.root):
            there.remove(owned)
