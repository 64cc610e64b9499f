from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataops.envs.sweep import check_root, end_processes, leftovers, processes_of, remove_files
from dataops.infra.errors import ResourceError


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "platforms" / "shop-1" / "environments" / "feature-x"
    root.mkdir(parents=True)
    yield root
    end_processes(root)


def sleeper(folder: Path, code: str = "import time; print('up', flush=True); time.sleep(600)") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder, start_new_session=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process


def test_what_works_in_the_folder_is_found_and_ended(root: Path) -> None:
    (root / "code").mkdir()
    process = sleeper(root / "code")
    assert process.pid in processes_of(root)
    assert [line.split()[0] for line in end_processes(root)] == [str(process.pid)]
    process.wait()
    assert processes_of(root) == {}


def test_what_does_not_listen_is_killed(root: Path) -> None:
    deaf = sleeper(
        root, "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    end_processes(root, patience=0.5)
    deaf.wait()
    assert processes_of(root) == {}


def test_the_neighbour_with_a_longer_name_is_left_alone(root: Path) -> None:
    neighbour = root.with_name("feature-x2")
    neighbour.mkdir()
    process = sleeper(neighbour)
    try:
        assert end_processes(root) == []
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_files_are_removed_and_half_removed_files_as_well(root: Path) -> None:
    (root / "lake").mkdir()
    (root / "lake" / "x").write_text("x")
    remove_files(root)
    assert leftovers(root, []).lines() == []
    root.with_name(f".{root.name}.removed").mkdir()
    assert leftovers(root, []).lines() != []
    remove_files(root)
    assert leftovers(root, []).lines() == []


def test_a_port_that_still_answers_is_told(root: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert f"port {port}" in leftovers(root, [port], patience=0.1).lines()


@pytest.mark.parametrize("path", ["/", "/home", "/x/platforms/p/environments", "/x/platforms/p/environments/../y/z"])
def test_a_record_that_names_another_folder_is_not_obeyed(path: str) -> None:
    with pytest.raises(ResourceError):
        check_root(Path(path))


def test_the_folder_of_an_environment_is(root: Path) -> None:
    check_root(root)
