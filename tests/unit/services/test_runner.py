from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dataops.infra.errors import ConfigurationError, NotFoundError, ResourceError
from dataops.infra.platform.loader import load_platform
from dataops.services.runner import PlannedStep, RunPlan, plan_steps, run_pipeline
from dataops.services.runs import StepRecord, load_runs
from support.platform_file import write_platform


def step(name: str, code: str) -> PlannedStep:
    return PlannedStep(name, (sys.executable, "-c", textwrap.dedent(code)))


def plan(folder: Path, *steps: PlannedStep, **variables: str) -> RunPlan:
    (folder / "code").mkdir(exist_ok=True)
    return RunPlan("sales", "feature-x", "c" * 40, steps, folder / "code", folder / "runs", variables)


def test_steps_run_in_the_order_that_inputs_and_outputs_give(tmp_path: Path) -> None:
    platform = load_platform(write_platform(tmp_path))
    assert [s.name for s in plan_steps(platform, "sales")] == ["extract", "load", "marts"]
    assert [s.name for s in plan_steps(platform, "sales", "load")] == ["load"]


def test_an_unknown_pipeline_or_step_is_told_with_the_nearest(tmp_path: Path) -> None:
    platform = load_platform(write_platform(tmp_path))
    with pytest.raises(NotFoundError) as caught:
        plan_steps(platform, "sale")
    assert caught.value.hint == "did you mean sales?"
    with pytest.raises(NotFoundError) as caught:
        plan_steps(platform, "sales", "zzz")
    assert caught.value.hint == "there are: extract, load, marts"


def test_a_run_is_recorded_with_logs_and_rows(tmp_path: Path) -> None:
    report = """
        import json, os
        print("hello from", os.environ["GREETING"], os.getcwd())
        open(os.environ["DATAOPS_STEP_REPORT"], "w").write(json.dumps({"rows": {"raw.orders": 3}}))
    """
    heard: list[StepRecord] = []
    record = run_pipeline(plan(tmp_path, step("one", report), step("two", ""), GREETING="ada"), heard.append)
    assert [(s.name, s.state) for s in heard] == [
        ("one", "running"), ("one", "succeeded"), ("two", "running"), ("two", "succeeded"),
    ]  # fmt: skip
    assert record.steps[0].rows == {"raw.orders": 3}
    assert Path(record.steps[0].log).read_text() == f"hello from ada {tmp_path / 'code'}\n"
    assert load_runs(tmp_path / "runs") == [record]


def test_steps_get_no_variables_but_those_of_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "1")
    leak = "import os, sys; sys.exit('SECRET_OF_THE_SHELL' in os.environ)"
    assert run_pipeline(plan(tmp_path, step("one", leak)), lambda _: None).state == "succeeded"


def test_a_failing_step_shows_the_end_of_its_log_and_stops_the_run(tmp_path: Path) -> None:
    failing = "print('line 1', flush=True); raise SystemExit('no such table: raw.orders')"
    with pytest.raises(ResourceError) as caught:
        run_pipeline(plan(tmp_path, step("one", ""), step("two", failing), step("three", "")), lambda _: None)
    assert caught.value.details == "line 1\nno such table: raw.orders"
    assert "step two exited with 1" in caught.value.what and "--step two" in str(caught.value.hint)
    (record,) = load_runs(tmp_path / "runs")
    assert [(s.state, s.exit) for s in record.steps] == [("succeeded", 0), ("failed", 1), ("skipped", None)]
    assert record.state == "failed"


def test_a_step_that_was_killed_names_the_signal(tmp_path: Path) -> None:
    with pytest.raises(ResourceError) as caught:
        run_pipeline(plan(tmp_path, step("one", "import os; os.kill(os.getpid(), 9)")), lambda _: None)
    assert "SIGKILL" in caught.value.what


def test_a_command_that_does_not_exist_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run_pipeline(plan(tmp_path, PlannedStep("one", ("no-such-program",)), PATH="/nowhere"), lambda _: None)
    assert "no-such-program" in caught.value.what


def test_an_interruption_ends_the_whole_process_group(tmp_path: Path) -> None:
    grandchild = """
        import pathlib, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        pathlib.Path("pid").write_text(str(child.pid))
        print("up", flush=True)
        time.sleep(600)
    """
    code = f"""
        import sys
        from pathlib import Path
        from dataops.services.runner import PlannedStep, RunPlan, run_pipeline
        folder = Path({str(tmp_path)!r})
        (folder / "code").mkdir()
        step = PlannedStep("one", (sys.executable, "-c", {textwrap.dedent(grandchild)!r}))
        plan = RunPlan("sales", "x", "c", (step,), folder / "code", folder / "runs", {{}})
        run_pipeline(plan, lambda record: None)
    """
    runner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    pid_file = tmp_path / "code" / "pid"
    while not (pid_file.exists() and pid_file.read_text()):
        assert runner.poll() is None
        os.sched_yield()
    runner.send_signal(signal.SIGINT)
    _, said = runner.communicate()
    assert "KeyboardInterrupt" in said
    assert not _runs(int(pid_file.read_text()))
    (record,) = load_runs(tmp_path / "runs")
    assert (record.state, record.steps[0].state) == ("cancelled", "cancelled")


def test_a_runner_that_died_does_not_run_for_ever(tmp_path: Path) -> None:
    code = f"""
        import os
        from pathlib import Path
        from dataops.services.runner import PlannedStep, RunPlan, run_pipeline
        folder = Path({str(tmp_path)!r})
        (folder / "code").mkdir()
        plan = RunPlan("sales", "x", "c", (PlannedStep("one", ("true",)),), folder / "code", folder / "runs", {{}})
        run_pipeline(plan, lambda record: os.kill(os.getpid(), 9))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    (record,) = load_runs(tmp_path / "runs")
    assert record.state == "interrupted"


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
