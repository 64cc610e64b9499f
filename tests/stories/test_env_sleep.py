"""Sleeping environments, and those whose processes are gone: data, ports and credentials are kept."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from dataops.envs.sweep import processes_of
from dataops.infra.process.sockets import fallback_directory
from support.scratch_platform import ScratchPlatform

pytestmark = pytest.mark.slow

NAME = "feature-sleepy"


@pytest.fixture(scope="module")
def sleepy(shop: ScratchPlatform) -> Iterator[ScratchPlatform]:
    shop.branch("feature/sleepy")
    shop.do("env", "up", "--branch", "feature/sleepy")
    with psycopg.connect(login(shop), autocommit=True) as connection:
        connection.execute("CREATE TABLE raw.mine AS SELECT 42 AS answer")
    yield shop
    shop.do("env", "down", NAME, "--yes")


def login(shop: ScratchPlatform) -> str:
    url: str = shop.do("env", "connect", NAME, "--show-password", "-o", "json").json["url"]
    return url


def status(shop: ScratchPlatform) -> dict[str, Any]:
    found: dict[str, Any] = shop.do("env", "status", NAME, "-o", "json").json
    return found


def answer(url: str) -> int:
    with psycopg.connect(url) as connection:
        (found,) = connection.execute("SELECT answer FROM raw.mine").fetchone() or (0,)
    return int(found)


def check_awake(shop: ScratchPlatform) -> None:
    """Everything answers where the record says, and what programs are told is the same."""
    found = status(shop)
    assert found["state"] == "ready" and found["parts"] and all(part["answers"] for part in found["parts"])
    assert answer(login(shop)) == 42
    own = "import os, psycopg; print(psycopg.connect(os.environ['WAREHOUSE_URL']).execute('SELECT 42').fetchone()[0])"
    import sys

    assert shop.do("env", "exec", NAME, "--", sys.executable, "-c", own).stdout == "42\n"
    with urllib.request.urlopen(f"{found['urls']['sales-api']}/", timeout=10) as response:
        assert response.read() == b"hi"
    published = json.loads((Path(found["root"]) / "endpoints.json").read_text())
    assert str(found["warehouse"]["port"]) in published["warehouse"]
    assert published["sales-api"] == found["urls"]["sales-api"]


def kill_everything(root: Path) -> None:
    """What a restart of the machine does to the processes, and to what only lasts as long as it runs."""
    processes = [psutil.Process(pid) for pid in processes_of(root)]
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=30)
    for folder in (root / "postgres", root / "supervisor"):
        shutil.rmtree(fallback_directory(folder), ignore_errors=True)


def test_a_sleeping_environment_runs_nothing_and_comes_back_as_it_was(sleepy: ScratchPlatform) -> None:
    before, url = status(sleepy), login(sleepy)
    slept = sleepy.do("env", "sleep", NAME, "-o", "json").json
    assert (slept["state"], slept["changed"]) == ("sleeping", True)
    root = Path(before["root"])
    assert processes_of(root) == {} and status(sleepy)["state"] == "sleeping"
    assert [e["state"] for e in sleepy.do("env", "ls", "-o", "json").json if e["name"] == NAME] == ["sleeping"]
    assert sleepy.do("env", "sleep", NAME, "-o", "json").json["changed"] is False
    for words in (
        ["env", "exec", NAME, "--", "true"],
        ["env", "connect", NAME],
        ["env", "fingerprint", NAME],
        ["pipeline", "run", "sales", "--env", NAME],
    ):
        refused = sleepy.run(*words)
        assert refused.status == 2 and f"dataops env wake {NAME}" in refused.stderr, refused.stderr
    woken = sleepy.do("env", "wake", NAME, "-o", "json").json
    assert woken["state"] == "ready" and woken["moved"] == {} and woken["notes"] == []
    after = status(sleepy)
    assert (after["warehouse"], after["urls"]) == (before["warehouse"], before["urls"])
    assert login(sleepy) == url and answer(url) == 42
    check_awake(sleepy)


def test_ports_taken_meanwhile_are_replaced_everywhere_and_told(sleepy: ScratchPlatform) -> None:
    before = status(sleepy)
    sleepy.do("env", "sleep", NAME)
    ports = [before["warehouse"]["port"], int(before["urls"]["sales-api"].rpartition(":")[2])]
    with socket.create_server(("127.0.0.1", ports[0])), socket.create_server(("127.0.0.1", ports[1])):
        woken = sleepy.do("env", "wake", NAME, "-o", "json").json
        assert sorted(woken["moved"]) == sorted(map(str, ports)) and len(woken["notes"]) == 2
        check_awake(sleepy)
        again = sleepy.do("env", "up", "--branch", "feature/sleepy", "-o", "json").json
        assert again["warehouse"]["port"] == woken["warehouse"]["port"]
        check_awake(sleepy)
        assert sleepy.do("env", "up", "--branch", "feature/sleepy", "-o", "json").json["changed"] is False


@pytest.mark.parametrize("command", [["env", "wake", NAME], ["env", "up", "--branch", "feature/sleepy"]])
def test_after_a_restart_of_the_machine_everything_comes_back(sleepy: ScratchPlatform, command: list[str]) -> None:
    root = Path(status(sleepy)["root"])
    kill_everything(root)
    assert status(sleepy)["state"] == "stopped"
    assert [e["state"] for e in sleepy.do("env", "ls", "-o", "json").json if e["name"] == NAME] == ["stopped"]
    sleepy.do(*command)
    check_awake(sleepy)


def test_up_wakes_a_sleeping_environment(sleepy: ScratchPlatform) -> None:
    sleepy.do("env", "sleep", NAME)
    assert sleepy.do("env", "up", "--branch", "feature/sleepy", "-o", "json").json["state"] == "ready"
    check_awake(sleepy)


def test_production_does_not_sleep_unless_forced(sleepy: ScratchPlatform) -> None:
    refused = sleepy.run("env", "sleep", "production")
    assert refused.status == 5 and "--force" in refused.stderr
    assert sleepy.do("env", "status", "production", "-o", "json").json["state"] == "ready"
