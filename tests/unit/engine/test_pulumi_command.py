"""How the `pulumi` command is understood, shown on small programs of its name and on events that it once logged."""

from __future__ import annotations

import ensurepip
import os
import signal
import subprocess
import threading
import venv
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation.errors import CommandError
from pulumi.automation.events import EngineEvent

from dataops.infra.engine.pulumi_command import InterruptibleCommand, find_pulumi, interpreter_variables, meaning
from dataops.infra.engine.pulumi_events import our_event
from dataops.infra.errors import AuthenticationError, CancelledError, ExpectationError, UpdateFailedError
from dataops.infra.events.engine_events import DiagnosticEvent, ResOutputsEvent, SummaryEvent

URN = "urn:pulumi:dev::p::test:index:Thing::it"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}


def command(folder: Path, lines: str) -> InterruptibleCommand:
    program = folder / "pulumi"
    program.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then echo v3.250.0; exit; fi\n{lines}\n')
    program.chmod(0o755)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return InterruptibleCommand(find_pulumi(os.environ))


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"])


def test_it_is_run_without_questions_and_with_its_variables(tmp_path: Path) -> None:
    result = command(tmp_path, 'echo "$@" "$GIVEN"; echo aside >&2').run(["up"], str(tmp_path), {"GIVEN": "x"})
    assert (result.stdout, result.stderr, result.code) == ("--non-interactive up x", "aside", 0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(1, UpdateFailedError), (3, AuthenticationError), (4, UpdateFailedError), (7, ExpectationError)],
)
def test_its_exit_status_says_what_was_wrong(tmp_path: Path, status: int, kind: type[Exception]) -> None:
    failing = command(tmp_path, f"echo 'error: that is why' >&2; exit {status}")
    with pytest.raises(CommandError):
        failing.run(["up"], str(tmp_path), {})
    found = meaning(failing.last)
    assert type(found) is kind and found.what == "that is why"


def test_an_interrupt_lets_it_end_in_order(tmp_path: Path) -> None:
    waiting = command(tmp_path, "trap 'echo ended > ended; exit 8' INT; touch begun; while :; do sleep 0.05; done")

    def interrupt() -> None:
        while not (tmp_path / "begun").exists():
            threading.Event().wait(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        waiting.run(["up"], str(tmp_path), {})
    assert (tmp_path / "ended").read_text() == "ended\n"
    assert CancelledError.exit_code == 8


def test_an_interpreter_without_pip_gets_the_one_that_comes_with_python(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / "bin" / "python"
    given = interpreter_variables(python, {"PYTHONPATH": "/mine"})
    if not any((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")):
        assert given == {}, "some systems take pip out of Python"
        return
    assert given["PYTHONPATH"].startswith("/mine") and "PATH" not in given
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format", "json"], env=given, capture_output=True, text=True, check=False
    )
    assert listed.stdout.strip() == "[]", listed.stderr


def event(**payload: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1795406425, **payload})


def test_logged_events_are_ours_with_secrets_and_unknowns_hidden_alike() -> None:
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    state = {"type": "test:index:Thing", "urn": URN, "id": "", "parent": "", "provider": "", "custom": True}
    new = {**state, "inputs": {"a": SECRET, "b": [unknown], "c": {"d": 1}}, "outputs": {}}
    step = {
        "op": "update",
        "urn": URN,
        "type": "test:index:Thing",
        "old": None,
        "new": new,
        "diffs": ["a"],
        "detailedDiff": {"a": {"diffKind": "update", "inputDiff": True}},
        "logical": True,
        "provider": "",
    }
    found = our_event(event(resOutputsEvent={"metadata": step, "planning": True}))
    assert isinstance(found, ResOutputsEvent) and found.planning and found.metadata.new is not None
    assert found.metadata.new.inputs == {"a": "[secret]", "b": ["[unknown]"], "c": {"d": 1}}
    assert (found.metadata.op, found.metadata.diffs) == ("update", ("a",))
    assert found.metadata.detailed_diff == {"a": {"diffKind": "update", "inputDiff": True}}


def test_logged_messages_lose_their_prefix_and_debug_messages_are_left_out() -> None:
    said = {"prefix": "error: ", "message": "no wood\n", "color": "never", "severity": "error", "urn": URN}
    assert our_event(event(diagnosticEvent=said)) == DiagnosticEvent("no wood\n", "error", URN)
    assert our_event(event(diagnosticEvent={**said, "severity": "debug"})) is None
    summary = {"maybeCorrupt": False, "durationSeconds": 3, "resourceChanges": {"create": 1}, "PolicyPacks": {}}
    assert our_event(event(summaryEvent=summary)) == SummaryEvent({"create": 1}, 3)
