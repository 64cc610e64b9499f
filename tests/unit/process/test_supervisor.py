from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.process.processes import is_alive, wait_gone
from dataops.infra.process.programs import LaunchSpecification
from dataops.infra.process.supervisor import SupervisedProgram, Supervisor
from support.postgres import open_directory


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with open_directory() as directory:
        supervisor = Supervisor(directory / "strange %s name; #x" / "supervisor")
        supervisor.directory.parent.mkdir()
        supervisor.start("feature x")
        yield supervisor
        supervisor.remove()


def program(supervisor: Supervisor, *command: str, name: str = "p") -> SupervisedProgram:
    launch = LaunchSpecification(command or ("sleep", "600"), "/tmp", {"MODE": "test"}, death_signal=signal.SIGTERM)
    return SupervisedProgram(name, launch, supervisor.directory.parent / f"{name}.log")


def pid_of(supervisor: Supervisor, name: str = "p") -> int:
    state = supervisor.state(name)
    assert state is not None
    return state.pid


def test_the_supervisor_outlives_the_process_that_starts_it() -> None:
    with open_directory() as directory:
        code = (
            "import sys; from pathlib import Path; from dataops.infra.process.supervisor import Supervisor; "
            "Supervisor(Path(sys.argv[1])).start()"
        )
        subprocess.run([sys.executable, "-c", code, str(directory / "supervisor")], check=True)
        supervisor = Supervisor(directory / "supervisor")
        assert supervisor.client.answers()
        supervisor.remove()
        assert list(directory.iterdir()) == []


def test_only_the_owner_reaches_the_supervisor(supervisor: Supervisor) -> None:
    assert supervisor.directory.stat().st_mode & 0o777 == 0o700
    assert supervisor.socket.stat().st_mode & 0o777 == 0o700


def test_starting_twice_starts_once(supervisor: Supervisor) -> None:
    pid = supervisor.pid()
    supervisor.start("feature x")
    assert supervisor.pid() == pid


def test_a_program_is_replaced_only_when_it_differs(supervisor: Supervisor) -> None:
    supervisor.put(program(supervisor))
    first = pid_of(supervisor)
    supervisor.put(program(supervisor))
    assert pid_of(supervisor) == first
    supervisor.put(program(supervisor, "sleep", "601"))
    assert pid_of(supervisor) != first
    assert not is_alive(first)


def test_programs_die_with_the_supervisor_and_come_back_with_it(supervisor: Supervisor) -> None:
    supervisor.put(program(supervisor))
    first, keeper = pid_of(supervisor), supervisor.pid()
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    assert wait_gone(first, 30)
    assert supervisor.pid() is None
    assert supervisor.state("p") is None
    supervisor.start("feature x")
    assert supervisor.state("p") is not None


def test_removing_the_supervisor_leaves_nothing(supervisor: Supervisor) -> None:
    supervisor.put(program(supervisor))
    supervisor.put(program(supervisor, name="q"))
    pids = [pid_of(supervisor), pid_of(supervisor, "q"), supervisor.pid() or 0]
    supervisor.remove()
    supervisor.remove()
    assert not [pid for pid in pids if is_alive(pid)]
    assert not supervisor.directory.exists()
    assert not supervisor.socket.exists()


def test_a_program_inherits_no_secret_of_who_started_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "hunter2")
    with open_directory() as directory:
        supervisor = Supervisor(directory / "supervisor")
        supervisor.start()
        supervisor.put(program(supervisor))
        for pid in (pid_of(supervisor), supervisor.pid()):
            assert b"hunter2" not in Path(f"/proc/{pid}/environ").read_bytes()
        supervisor.remove()


def test_a_program_that_is_not_known_can_be_dropped(supervisor: Supervisor) -> None:
    supervisor.drop("never-seen")


def test_a_name_that_could_leave_the_directory_is_refused(supervisor: Supervisor) -> None:
    with pytest.raises(ResourceError, match="cannot name a program"):
        supervisor.put(program(supervisor, name="../evil"))


def test_a_supervisor_that_does_not_run_is_told(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    for folder in ("conf.d", "programs"):
        (tmp_path / folder).mkdir()
    with pytest.raises(ResourceError, match="does not answer"):
        supervisor.put(program(supervisor))
