"""Pipelines by schedule and by hand, through the command line, with the real runner under its supervisor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.scratch_git import commit
from support.scratch_platform import PLATFORM, ScratchPlatform, scratch_platform

pytestmark = pytest.mark.slow

SLOW_STEP = """\
import json, os, pathlib, sys, time
here = pathlib.Path(os.environ["DATAOPS_STEP_REPORT"]).parent
(here / "began").touch()
while (pathlib.Path(os.environ["GATE"])).exists():
    time.sleep(0.02)
import pipelines.words
print(pipelines.words.WORD, os.environ.get("DATAOPS_FULL_REFRESH", "-"), flush=True)
"""

PIPELINES = """\
pipelines:
  sales:
    schedule: {cron: "7 3 1 1 *"}
    steps:
      - {name: extract, run: ["PYTHON", pipelines/extract.py], outputs: ["lake:raw/orders.parquet"]}
      - name: load
        run: ["PYTHON", pipelines/load.py]
        inputs: ["lake:raw/orders.parquet"]
        outputs: ["warehouse:raw.orders"]
      - name: marts
        run: ["PYTHON", pipelines/marts.py]
        inputs: ["warehouse:raw.orders"]
        outputs: ["warehouse:marts.sales"]
  slow:
    schedule: {cron: "7 3 1 1 *", startingDeadline: 400d}
    steps:
      - {name: wait, run: ["PYTHON", -m, pipelines.slow]}
      - {name: after, run: ["true"], needs: [wait]}
"""


def wait_for(what: Callable[[], Any], seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A platform with production deployed; `slow` goes on as long as the file `gate` exists."""
    gate = tmp_path_factory.mktemp("gate") / "closed"
    begin, end = PLATFORM.index("pipelines:\n"), PLATFORM.index("services:\n")
    text = PLATFORM[:begin] + PIPELINES + PLATFORM[end:].replace("GREETING: hello", f"GREETING: hello, GATE: {gate}")
    files = {
        "dataops.yaml": text.replace("PYTHON", sys.executable),
        "pipelines/__init__.py": "",
        "pipelines/slow.py": SLOW_STEP,
        "pipelines/words.py": 'WORD = "old"\n',
    }
    with scratch_platform(files) as platform:
        platform.do("env", "deploy", "production", "--yes")
        yield platform, gate


def root_of(platform: ScratchPlatform) -> Path:
    (root,) = platform.roots()
    return root


def make_due(platform: ScratchPlatform, pipeline: str) -> str:
    """Has the runner believe that it last looked before the newest due time; returns that time."""
    year = datetime.now(UTC).year
    due = datetime(year, 1, 1, 3, 7, tzinfo=UTC)
    path = root_of(platform) / "runner" / f"{pipeline}.cursor.json"
    cursor = json.loads(wait_for(lambda: path.exists() and path.read_text()))
    path.write_text(json.dumps({**cursor, "moment": due.timestamp() - 60}))
    return due.isoformat(timespec="milliseconds")


def states(platform: ScratchPlatform) -> dict[str, Any]:
    return {found["name"]: found for found in platform.do("pipeline", "ls", "-e", "production", "-o", "json").json}


def last_run(platform: ScratchPlatform, pipeline: str) -> dict[str, Any]:
    """The newest run that began; its state is "" when none ever did."""
    found = platform.run("pipeline", "runs", pipeline, "last", "-e", "production", "-o", "json")
    run: dict[str, Any] = found.json if found.status == 0 else {"state": ""}
    return run


def test_the_runner_starts_what_is_due_and_an_update_neither_kills_it_nor_takes_its_code(house: Any) -> None:
    platform, gate = house
    gate.touch()
    assert states(platform)["slow"]["state"] == "scheduled"
    due = make_due(platform, "slow")
    folder = root_of(platform) / "logs" / "runs" / "slow"
    began = wait_for(lambda: list(folder.glob("*/began")))
    old = Path(platform.do("env", "status", "production", "-o", "json").json["code"])
    assert states(platform)["slow"]["state"] == "running"

    refused = platform.run("pipeline", "run", "slow", "-e", "production")
    assert refused.status == 10 and began[0].parent.name in refused.stderr and "schedule" in refused.stderr

    commit(platform.folder, {"pipelines/words.py": 'WORD = "new"\n'}, "Say something else")
    platform.do("env", "deploy", "production", "--yes")
    new = Path(platform.do("env", "status", "production", "-o", "json").json["code"])
    assert new != old and old.is_dir() and states(platform)["slow"]["state"] == "running"

    gate.unlink()
    run = wait_for(lambda: (found := last_run(platform, "slow"))["state"] != "running" and found)
    assert (run["state"], run["trigger"], run["due"], len(run["steps"])) == ("succeeded", "schedule", due, 2)
    assert Path(run["steps"][0]["log"]).read_text() == "old -\n"
    wait_for(lambda: not old.exists())

    again = platform.do("pipeline", "run", "slow", "-e", "production", "--step", "wait", "--full-refresh", "-o", "json")
    assert Path(again.json["steps"][0]["log"]).read_text() == "new 1\n"
    assert [r["due"] for r in platform.do("pipeline", "runs", "slow", "-e", "production", "-o", "json").json] == [
        "",
        due,
    ]


def test_a_due_run_that_came_too_late_is_missing_and_a_paused_one_is_not(house: Any) -> None:
    platform, _ = house
    make_due(platform, "sales")
    wait_for(lambda: states(platform)["sales"]["missed"])
    assert states(platform)["sales"]["state"] == "missing"
    table = platform.do("pipeline", "ls", "-e", "production").stdout
    assert "missing:" in table and "extract → load → marts" in table and "7 3 1 1 * UTC" in table
    assert "pipeline sales missing: the run due" in platform.do("env", "status", "production").stdout
    (missing,) = platform.do("pipeline", "runs", "sales", "-e", "production", "-o", "json").json
    assert (missing["state"], missing["missed"]) == ("missing", 1)

    said = platform.do("pipeline", "pause", "slow", "-e", "production", "--reason", "source is down").stdout
    assert said == "slow in production is paused.\n"
    assert states(platform)["slow"]["paused_because"] == "source is down"
    platform.do("env", "deploy", "production", "--yes")
    assert states(platform)["slow"]["state"] == "paused" and states(platform)["slow"]["next"] is None
    assert platform.do("pipeline", "resume", "slow", "-e", "production", "-o", "json").json["changed"] is True
    assert states(platform)["slow"]["state"] == "scheduled"


def test_a_scheduled_run_whose_process_is_killed_leaves_no_step_and_is_shown_as_interrupted(house: Any) -> None:
    platform, gate = house
    gate.touch()
    folder = root_of(platform) / "logs" / "runs" / "slow"
    process = platform.start("pipeline", "run", "slow", "-e", "production")
    run = wait_for(lambda: (found := last_run(platform, "slow"))["state"] == "running" and found)
    wait_for(lambda: (folder / run["id"] / "began").exists())
    steps = psutil.Process(run["runner"]["pid"]).children(recursive=True)
    assert len(steps) == 2
    os.kill(run["runner"]["pid"], signal.SIGKILL)
    process.communicate()
    _, left = psutil.wait_procs(steps, timeout=30)
    assert left == []
    assert last_run(platform, "slow")["state"] == "interrupted"
    gate.unlink()
    assert platform.do("pipeline", "run", "slow", "-e", "production", "-o", "json").json["state"] == "succeeded"


def test_a_run_that_is_asked_to_end_ends_its_steps_and_says_so(house: Any) -> None:
    platform, gate = house
    gate.touch()
    process = platform.start("pipeline", "run", "slow", "-e", "production")
    run = wait_for(lambda: (found := last_run(platform, "slow"))["state"] == "running" and found)
    wait_for(lambda: (root_of(platform) / "logs" / "runs" / "slow" / run["id"] / "began").exists())
    process.send_signal(signal.SIGTERM)
    process.communicate()
    gate.unlink()
    assert process.returncode == 8
    assert last_run(platform, "slow")["state"] == "cancelled"


def test_down_ends_runs_and_runner(house: Any) -> None:
    platform, gate = house
    gate.touch()
    process = platform.start("pipeline", "run", "slow", "-e", "production")
    wait_for(lambda: last_run(platform, "slow")["state"] == "running")
    root = root_of(platform)
    platform.do("env", "down", "production", "--yes", "--force")
    process.communicate()
    assert not root.exists()
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(root) not in listed
