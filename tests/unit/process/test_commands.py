from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from dataops.infra.errors import DeadlineError
from dataops.infra.process.commands import CommandError, run_command
from dataops.infra.process.ports import free_port, is_free
from dataops.infra.process.sockets import LONGEST, socket_directory
from dataops.infra.process.users import server_user


def test_a_command_gives_what_it_wrote() -> None:
    assert run_command(["sh", "-c", "echo out; echo err >&2"], purpose="speak").stdout == "out\n"


def test_a_failing_command_tells_its_purpose_and_its_last_lines() -> None:
    with pytest.raises(CommandError, match=r"sh could not count \(exit status 3\)") as raised:
        run_command(["sh", "-c", "seq 100 >&2; exit 3"], purpose="count")
    assert (raised.value.status, (raised.value.details or "").split()[-1]) == (3, "100")
    assert len((raised.value.details or "").split()) == 15


def test_a_command_that_is_not_there_says_so() -> None:
    with pytest.raises(CommandError, match="could not be started"):
        run_command(["no-such-program-here"], purpose="run")


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(DeadlineError, match="did not sleep within"):
        run_command(["sleep", "60"], purpose="sleep", timeout=0.05)


def test_a_child_inherits_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in run_command(["env"], purpose="look").stdout


def test_a_chosen_port_can_be_listened_on() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)


def test_a_socket_stays_where_it_belongs_when_its_path_is_short(tmp_path: Path) -> None:
    assert socket_directory(tmp_path, "s") == tmp_path
    long = tmp_path / ("x" * LONGEST)
    assert len(os.fsencode(socket_directory(long, "s") / "s")) <= LONGEST
    assert socket_directory(long, "s") == socket_directory(long, "s")


def test_a_server_never_runs_as_root() -> None:
    assert server_user().uid != 0
