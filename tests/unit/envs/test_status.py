from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from dataops.envs.lock import hold
from dataops.envs.registry import EnvironmentRecord, Registry, State
from dataops.envs.status import all_statuses, require_running, snapshot_age, status
from dataops.infra.errors import ConfigurationError


def saved(registry: Registry, repository: Path, **changes: object) -> EnvironmentRecord:
    record = EnvironmentRecord(
        name="feature-x", platform="shop", role="replica", branch="feature/x", commit="c" * 40,
        repository=str(repository), directory="", root="/x", backend="", project="shop", stack="feature-x",
        passphrase={},
    )  # fmt: skip
    return registry.save(replace(record, **changes))  # type: ignore[arg-type]


def test_a_part_that_listens_answers_and_one_that_does_not_is_told(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        facts = {"warehouse": {"host": "127.0.0.1", "port": port}, "services": {"api": {"port": 1}}}
        found = status(saved(registry, tmp_path, state=State.READY, facts=facts), registry)
    assert [(p.name, p.answers) for p in found.parts] == [("warehouse", True), ("api", False)]
    assert found.state == "ready (something does not answer)"


@pytest.mark.parametrize("state", [State.CREATING, State.UPDATING, State.DESTROYING])
def test_work_in_progress_without_a_holder_was_interrupted(tmp_path: Path, state: State) -> None:
    registry = Registry(tmp_path / "registry")
    record = saved(registry, tmp_path, state=state)
    assert status(record, registry).state == f"{state.value} (interrupted)"
    with hold(registry.folder, "feature-x", "env up"):
        found = status(record, registry)
        assert found.state == state.value and found.holder is not None and not found.interrupted


@pytest.mark.parametrize(
    ("state", "command"),
    [
        (State.CREATING, "dataops env up --branch feature/x"),
        (State.FAILED, "dataops env up --branch feature/x"),
        (State.DESTROYING, "dataops env down feature-x"),
        (State.SLEEPING, "dataops env wake feature-x"),
        (State.READY, "dataops env wake feature-x"),  # and none of its processes is there
    ],
)
def test_an_environment_that_is_not_ready_names_the_command_that_makes_it_so(
    tmp_path: Path, state: State, command: str
) -> None:
    registry = Registry(tmp_path / "registry")
    record = saved(registry, tmp_path, state=state)
    assert status(record, registry).remedy == command
    if state is State.CREATING:
        with hold(registry.folder, "feature-x", "env up"):
            assert status(record, registry).remedy == ""


def test_without_its_repository_an_environment_is_orphaned(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    saved(registry, tmp_path / "gone", state=State.READY)
    (found,) = all_statuses(registry)
    assert found.to_json()["state"] == "orphaned"


def test_the_age_of_a_snapshot_is_in_its_name() -> None:
    assert (snapshot_age("20200102T030405Z-0123456789ab") or 0) > 5 * 365 * 86400
    assert snapshot_age("") is None and snapshot_age("something") is None


def test_nothing_is_run_in_an_environment_whose_processes_are_gone(tmp_path: Path) -> None:
    record = saved(Registry(tmp_path / "registry"), tmp_path, state=State.READY, root=str(tmp_path / "root"))
    with pytest.raises(ConfigurationError) as caught:
        require_running(record)
    assert caught.value.hint == "bring it back with `dataops env wake feature-x`"
