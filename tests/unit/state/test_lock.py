"""Who may take a stack's lock over, and who may not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import LockedError
from dataops.infra.process.identity import this_machine
from dataops.infra.state.file_backend import FileBackend
from dataops.infra.state.file_storage import FileStorage
from dataops.infra.state.holder import lock_content
from dataops.infra.state.lock import holders, lock_folder, lock_stack
from dataops.infra.state.timestamps import time_to_json
from support.stacks import REF, stack_secrets

CLI_FIELDS = ("pid", "username", "hostname", "timestamp")


def put_lock(tmp_path: Path, content: dict[str, Any] | str) -> Path:
    path = tmp_path / lock_folder(REF) / "0a5d3a1e-0000-4000-8000-000000000000.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def our_lock(**changes: Any) -> dict[str, Any]:
    return lock_content(time.time()) | changes


def cli_lock(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in lock_content(time.time()).items() if key in CLI_FIELDS} | changes


def ago(seconds: float) -> str:
    return time_to_json(datetime.now(UTC) - timedelta(seconds=seconds))


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


Content = Callable[[], dict[str, Any] | str]

TAKEN_OVER: dict[str, Content] = {
    "a process that is gone": lambda: our_lock(pid=dead_pid()),
    "a process that started at another time": lambda: our_lock(processStart="1"),
    # a machine without an identity of its own might be another one of the same name, whose heart has to stop first
    "a run of this machine before its last start": lambda: our_lock(
        bootId="another", **({} if this_machine().installation else {"heartbeat": ago(61)})
    ),
    "a heartbeat that stopped elsewhere": lambda: (
        lock_content(time.time()) | {"hostname": "elsewhere", "heartbeat": ago(61)}
    ),
    "a CLI that is gone": lambda: cli_lock(pid=dead_pid()),
    "a CLI whose number another process has now": lambda: cli_lock(timestamp=ago(10 * 365 * 86400)),
}
REFUSED: dict[str, Content] = {
    "ourselves": our_lock,
    "a live process elsewhere": lambda: our_lock(hostname="elsewhere"),
    "a process of another container": lambda: (
        lock_content(time.time()) | {"pid": dead_pid(), "pidNamespace": "pid:[1]"}
    ),
    "a live process whose heartbeat stopped": lambda: our_lock(heartbeat=ago(61)),
    "a live CLI": cli_lock,
    "a CLI elsewhere": lambda: cli_lock(hostname="elsewhere", pid=1, timestamp=ago(10 * 365 * 86400)),
    "something unreadable": lambda: "{half a lo",
    "something else": lambda: "[]",
}


@pytest.mark.parametrize("case", TAKEN_OVER)
def test_the_lock_of_a_dead_holder_is_taken_over(tmp_path: Path, case: str) -> None:
    path = put_lock(tmp_path, TAKEN_OVER[case]())
    lease = lock_stack(FileStorage(tmp_path), REF)
    assert len(lease.taken_over) == 1
    assert not path.exists()
    lease.release()
    assert holders(FileStorage(tmp_path), REF) == []


@pytest.mark.parametrize("case", REFUSED)
def test_the_lock_of_one_who_may_be_alive_is_refused(tmp_path: Path, case: str) -> None:
    path = put_lock(tmp_path, REFUSED[case]())
    with pytest.raises(LockedError, match="locked by") as refused:
        lock_stack(FileStorage(tmp_path), REF)
    assert path.exists()
    assert len(list(path.parent.iterdir())) == 1
    assert refused.value.hint is not None and refused.value.hint.endswith("dataops stack cancel dev")


def test_a_refusal_names_holder_time_and_host(tmp_path: Path) -> None:
    put_lock(tmp_path, cli_lock(username="ada", hostname="elsewhere", pid=4711, timestamp="2026-01-02T03:04:05Z"))
    with pytest.raises(LockedError, match=r"ada@elsewhere \(pid 4711\) since 2026-01-02T03:04:05Z.*cannot be known"):
        lock_stack(FileStorage(tmp_path), REF)


def test_our_lock_has_the_fields_that_the_cli_reads(tmp_path: Path) -> None:
    lease = lock_stack(FileStorage(tmp_path), REF)
    (path,) = (tmp_path / lock_folder(REF)).iterdir()
    content = json.loads(path.read_text())
    assert [type(content[key]) for key in CLI_FIELDS] == [int, str, str, str]
    assert content["pid"] == os.getpid()
    lease.release()


def test_a_broken_lock_is_noticed(tmp_path: Path) -> None:
    lease = lock_stack(FileStorage(tmp_path), REF)
    lease.check(thoroughly=True)
    next((tmp_path / lock_folder(REF)).iterdir()).unlink()
    lease.check()
    with pytest.raises(LockedError, match="broken"):
        lease.check(thoroughly=True)
    lease.release()


CONTENDER = """
import sys
from pathlib import Path
from dataops.infra.errors import LockedError
from dataops.infra.state.backend import StackReference
from dataops.infra.state.lock import lock_stack
from dataops.infra.state.file_storage import FileStorage

print("ready", flush=True)
sys.stdin.readline()
try:
    lease = lock_stack(FileStorage(Path(sys.argv[1])), StackReference("shop", "dev"))
except LockedError:
    print("refused", flush=True)
else:
    print("held", flush=True)
    sys.stdin.readline()
    lease.release()
"""


def test_of_several_processes_exactly_one_gets_the_lock(tmp_path: Path) -> None:
    contenders = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    outcomes = []
    for process in contenders:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in contenders:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in contenders:
        assert process.stdout is not None
        outcomes.append(process.stdout.readline().strip())
    for process in contenders:
        with process:
            process.communicate("\n")
    assert sorted(outcomes) == ["held", "refused", "refused", "refused"]
    assert holders(FileStorage(tmp_path), REF) == []


def test_a_takeover_is_noted_and_recorded(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path)
    backend.create(REF, stack_secrets())
    put_lock(tmp_path, lock_content(time.time()) | {"pid": dead_pid(), "username": "ada"})
    with backend.begin(REF, "update", stack_secrets()) as update:
        assert "ada@" in update.notes[0] and "taken over" in update.notes[0]
        update.finish("succeeded", {})
    assert "ada@" in backend.history(REF)[0].environment["dataops.takeover"]
