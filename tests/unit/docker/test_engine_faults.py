"""An engine that is absent, closed to us, or goes away in the middle is told as such, and the next run converges."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataops.infra.process.docker_faults import EngineUnavailableError
from dataops.infra.providers.docker.container import ContainerHandler
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.volume import VolumeHandler
from support.cut_engine import SOCKET, forwarding
from support.docker_engine import OPERATION, Scene


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.skipif(not Path(SOCKET).exists() and os.environ.get("CI") != "true", reason="the engine is elsewhere")
@pytest.mark.parametrize("requests", [1, 3, 5, 7])
def test_an_engine_that_goes_away_in_the_middle_is_told_and_the_next_run_converges(
    here: Scene, shell: str, tmp_path: Path, requests: int
) -> None:
    inputs = here.inputs("web", image=shell, command=["sleep", "60"], stopTimeout=0)
    with forwarding(tmp_path / "s", requests), pytest.raises(EngineUnavailableError):
        cut = Engine({"DOCKER_HOST": f"unix://{tmp_path}/s"})
        for _ in range(8):
            VolumeHandler(cut).create(OPERATION, here.inputs("data"))
            ContainerHandler(cut).create(OPERATION, inputs)
    VolumeHandler(here.engine).create(OPERATION, here.inputs("data"))
    made = ContainerHandler(here.engine).create(OPERATION, inputs)
    assert made.outputs["running"] is True
    names = [c["Names"] for c in here.engine.client.containers(all=True, filters={"name": here.platform})]
    assert names == [[f"/{inputs['name']}"]]


def test_threads_that_need_the_library_at_the_same_time_all_get_it(tmp_path: Path) -> None:
    program = """
import pathlib, threading
from dataops.infra.providers.docker.content import files_of
from dataops.infra.providers.docker.faults import look_up
barrier, failed = threading.Barrier(4), []
def work(number):
    barrier.wait()
    try:
        files_of(pathlib.Path.cwd()) if number % 2 else look_up("it", dict)
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads], [t.join() for t in threads]
raise SystemExit(str(failed) if failed else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
