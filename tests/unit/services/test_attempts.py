"""Faults of steps: they hang, fail, use too much, leave processes behind, and whoever runs them is killed."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from dataops.envs.log_sources import LogSource
from dataops.envs.logs import LogRequest, read_logs
from dataops.infra.errors import DataopsError, DeadlineError, LockedError, ProgramError, ResourceError
from dataops.infra.platform.records import unwritable
from dataops.infra.platform.run_plan import StepPlan
from dataops.infra.process.redaction import Redactor
from dataops.services.ending import end_runs
from dataops.services.exclusion import exclusive_run, holder_of
from dataops.services.runner import run_pipeline
from dataops.services.runs import RunRecord, load_runs, log_tail
from support.pipeline_runs import environment, request, runs_process, step

DEAF = """
trap '' TERM
setsid sleep 600 &
echo $$ $! > pids.new
mv pids.new pids
sleep 600
"""
"""Ignores SIGTERM, and has a child that left its process group."""


def deaf(name: str = "one", script: str = DEAF, **settings: Any) -> StepPlan:
    return StepPlan(name, ("sh", "-c", script), **settings)


def fail(root: Path, *steps: StepPlan, grace: float = 0.05, **settings: Any) -> tuple[DataopsError, RunRecord]:
    with pytest.raises((ProgramError, DeadlineError)) as caught:
        run_pipeline(request(root, environment(root, *steps, **settings)), lambda _: None, grace)
    (record,) = load_runs(root / "logs" / "runs")
    return caught.value, record


def pids_of(root: Path) -> list[int]:
    """The processes of `DEAF`, once they run."""
    file, deadline = root / "code" / "abc" / "pids", time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return [int(word) for word in file.read_text().split()]


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 30
    while any(runs_process(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(runs_process(pid) for pid in pids)


def in_a_process(root: Path, before: str = "") -> subprocess.Popen[str]:
    """Runs the plan of an environment in a process of its own, as `pipeline run` does."""
    code = f"""
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests beside it has it ignored
        {before}
        from pathlib import Path
        from dataops.services.request import environment_plan
        from dataops.services.runner import run_pipeline
        from support.pipeline_runs import request
        root = Path({str(root)!r})
        run_pipeline(request(root, environment_plan(root)), lambda step: None, 0.05)
    """
    tests = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, "PYTHONPATH": str(tests)},
        start_new_session=True, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_step_that_hangs_and_ignores_sigterm_is_killed_with_all_it_started(tmp_path: Path) -> None:
    error, record = fail(tmp_path, deaf(timeout=1.0))
    assert error.what == "step one took longer than its timeout of 1s" and error.exit_code == 1
    assert (record.steps[0].state, record.steps[0].exit) == ("failed", -signal.SIGKILL)
    assert gone(pids_of(tmp_path))


def test_a_run_that_takes_too_long_is_ended_and_starts_no_further_step(tmp_path: Path) -> None:
    error, record = fail(tmp_path, deaf(), step("two", "", "one"), timeout=1.0)
    assert error.what == "the run took longer than its timeout of 1s" and error.exit_code == 9
    assert [(s.state, s.reason) for s in record.steps] == [
        ("failed", "was ended with the run"), ("skipped", "one failed"),
    ]  # fmt: skip
    assert gone(pids_of(tmp_path))


def test_a_failed_step_is_tried_again_and_every_attempt_is_recorded(tmp_path: Path) -> None:
    third = "import os; print('try', os.environ['DATAOPS_ATTEMPT']); assert os.environ['DATAOPS_ATTEMPT'] == '3'"
    plan = environment(tmp_path, step("one", third, attempts=4, delay=0.01, backoff=2.0), step("two", "", "one"))
    record = run_pipeline(request(tmp_path, plan), lambda _: None)
    assert record is not None and [s.state for s in record.steps] == ["succeeded", "succeeded"]
    attempts = record.steps[0].attempts
    assert [(a.number, a.exit, a.reason) for a in attempts] == [
        (1, 1, "exited with 1"), (2, 1, "exited with 1"), (3, 0, ""),
    ]  # fmt: skip
    assert [Path(a.log).read_text().splitlines()[0] for a in attempts] == ["try 1", "try 2", "try 3"]
    assert [Path(a.log).name for a in attempts] == ["one.log", "one.2.log", "one.3.log"]


def test_a_step_that_fails_every_time_fails_the_run(tmp_path: Path) -> None:
    error, record = fail(tmp_path, step("one", "raise SystemExit(3)", attempts=2, delay=0.01))
    assert "at attempt 2 of 2" in error.what and len(record.steps[0].attempts) == 2


@pytest.mark.parametrize(
    ("limits", "code", "said"),
    [
        ({"memory": 256 * 2**20}, "x = bytearray(512 * 2**20)", "MemoryError"),
        ({"open_files": 32}, "x = [open('/dev/null') for _ in range(64)]", "Too many open files"),
    ],
)
def test_a_step_is_held_to_its_limits(tmp_path: Path, limits: dict[str, int], code: str, said: str) -> None:
    error, _ = fail(tmp_path, step("one", code, **limits))
    assert said in str(error.details)


@pytest.mark.slow
def test_a_step_that_uses_up_its_processor_time_is_ended(tmp_path: Path) -> None:
    error, _ = fail(tmp_path, step("one", "while True: pass", cpu_time=1.0))
    assert "SIGXCPU, having used its 1s of processor time" in error.what


def test_nothing_of_a_step_outlives_it(tmp_path: Path) -> None:
    plan = environment(tmp_path, deaf(script=DEAF.removesuffix("sleep 600\n")))
    done = run_pipeline(request(tmp_path, plan), lambda _: None)
    assert done is not None and done.state == "succeeded"
    assert gone(pids_of(tmp_path))


def test_when_the_run_is_killed_its_steps_end_and_it_is_shown_as_interrupted(tmp_path: Path) -> None:
    environment(tmp_path, deaf(), step("two", "", "one"))
    runner = in_a_process(tmp_path)
    pids = pids_of(tmp_path)
    assert all(map(runs_process, pids))
    runner.kill()
    runner.communicate()
    assert gone(pids)
    (record,) = load_runs(tmp_path / "logs" / "runs")
    assert (record.state, [s.state for s in record.steps]) == ("interrupted", ["interrupted", "skipped"])


def test_when_the_process_that_watches_over_a_step_is_killed_the_step_ends(tmp_path: Path) -> None:
    environment(tmp_path, deaf())
    runner = in_a_process(tmp_path)
    pids = pids_of(tmp_path)
    while os.getsid(pids[1]) != pids[1]:  # a process that the shell has begun is in its group until `setsid` runs
        time.sleep(0.01)
    os.kill(int(Path(f"/proc/{pids[0]}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGKILL)
    _, said = runner.communicate()
    assert "the process that watched over it was killed" in said
    assert gone(pids[:1])
    os.kill(pids[1], signal.SIGKILL)  # it had left the group, and nobody is left who knows it


def test_an_interruption_ends_all_steps_and_is_recorded(tmp_path: Path) -> None:
    environment(tmp_path, deaf(), step("two", "", "one"))
    runner = in_a_process(tmp_path)
    pids = pids_of(tmp_path)
    runner.send_signal(signal.SIGINT)
    _, said = runner.communicate()
    assert "KeyboardInterrupt" in said and gone(pids)
    (record,) = load_runs(tmp_path / "logs" / "runs")
    assert (record.state, [s.state for s in record.steps]) == ("cancelled", ["cancelled", "skipped"])


def test_a_failure_is_seen_also_where_the_death_of_children_is_ignored(tmp_path: Path) -> None:
    """Python takes a child whose exit status the kernel threw away for one that succeeded."""
    environment(tmp_path, step("one", "raise SystemExit(3)"))
    ignoring = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    _, said = in_a_process(tmp_path, ignoring).communicate()
    assert "step one exited with 3" in said
    (record,) = load_runs(tmp_path / "logs" / "runs")
    assert (record.state, record.steps[0].exit) == ("failed", 3)


def test_runs_of_a_pipeline_do_not_overlap_and_the_first_is_named(tmp_path: Path) -> None:
    plan = environment(tmp_path, step("one"))
    holder = {"run": "20260504-101213-4f2a", "user": "ada", "since": "2026-05-04T10:12:13Z", "pid": 4711}
    with exclusive_run(tmp_path / "runner", "sales", holder):
        assert holder_of(tmp_path / "runner", "sales") == holder
        with pytest.raises(LockedError) as caught:
            run_pipeline(request(tmp_path, plan), lambda _: None)
    assert "run 20260504-101213-4f2a, begun by ada at 2026-05-04 10:12Z (process 4711)" in caught.value.what
    assert holder_of(tmp_path / "runner", "sales") is None
    assert load_runs(tmp_path / "logs" / "runs") == []


def test_runs_are_ended_in_order_when_their_environment_goes(tmp_path: Path) -> None:
    environment(tmp_path, deaf())
    runner = in_a_process(tmp_path, "signal.signal(signal.SIGTERM, signal.default_int_handler)")
    pids = pids_of(tmp_path)
    assert end_runs(tmp_path) == ["sales"]
    runner.communicate()
    assert gone(pids)
    assert load_runs(tmp_path / "logs" / "runs")[0].state == "cancelled"
    assert end_runs(tmp_path) == []


def test_a_run_does_not_bring_back_a_folder_that_was_removed_under_it(tmp_path: Path) -> None:
    away = f"import shutil; shutil.rmtree({str(tmp_path / 'logs')!r})"
    plan = environment(tmp_path, step("one", away))
    with pytest.raises(ResourceError, match="cannot be written"):
        run_pipeline(request(tmp_path, plan), lambda _: None)
    assert not (tmp_path / "logs").exists()


def test_the_lock_is_held_until_nothing_of_a_killed_run_is_left(tmp_path: Path) -> None:
    environment(tmp_path, deaf())
    runner = in_a_process(tmp_path)
    pids = pids_of(tmp_path)
    runner.kill()
    runner.communicate()
    while holder_of(tmp_path / "runner", "sales") is not None:
        time.sleep(0.001)
    assert not runs_process(pids[0])


def test_a_full_disk_is_told_with_what_to_do() -> None:
    error = unwritable(Path("/runs/run.json"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert (str(error), error.exit_code) == ("/runs/run.json: cannot be written: No space left on device", 4)
    assert "free space" in str(error.hint)


def test_a_record_that_cannot_be_written_ends_the_run_with_a_typed_error_and_is_never_half(tmp_path: Path) -> None:
    environment(tmp_path, step("one", "print('x' * 100_000, flush=True)"), *(step(f"s{n}") for n in range(40)))
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))"
    runner = in_a_process(tmp_path, full)
    _, said = runner.communicate()
    assert "ResourceError" in said and "cannot be written" in said
    files = [path for path in (tmp_path / "logs").rglob("*") if path.suffix in (".json", ".tmp")]
    assert all(json.loads(path.read_text()) for path in files)
    assert not list((tmp_path / "logs").rglob("*.tmp"))


def test_of_what_a_step_prints_for_ever_the_beginning_and_the_end_are_kept(tmp_path: Path) -> None:
    kept = 64 << 10
    plan = environment(tmp_path, StepPlan("one", ("seq", "1000000"), log=kept))
    assert run_pipeline(request(tmp_path, plan), lambda _: None)
    (run,) = (tmp_path / "logs" / "runs").glob("*/*")
    assert sorted(path.name for path in run.iterdir()) == ["one.log", "one.log.1", "one.log.2", "run.json"]
    parts = [(run / f"one.log{part}").read_text() for part in (".2", ".1", "")]
    assert sum(map(len, parts)) <= kept + 8192
    *beginning, note = parts[0].splitlines()
    end = "".join(parts[1:]).splitlines()
    assert beginning == [str(n) for n in range(1, len(beginning) + 1)]
    assert end == [str(n) for n in range(1_000_001 - len(end), 1_000_001)] and len(end) > 1000
    left_out = sum(len(str(n)) + 1 for n in range(len(beginning) + 1, 1_000_001 - len(end)))
    assert note == f"[dataops: {left_out:,} bytes of what the step printed are left out here, see `limits.log`]"

    source = LogSource("sales/one", (), run / "one.log", finished=True)
    shown = [line.text for line in read_logs([source], LogRequest(), Redactor({}))]
    assert shown == [*beginning, note, *end]
    assert log_tail(run / "one.log", 500).splitlines() == end[-500:]


def test_lines_that_never_end_are_kept_within_the_bound_too(tmp_path: Path) -> None:
    code = "import os\nfor _ in range(300): os.write(1, b'x' * 1000)"
    plan = environment(tmp_path, StepPlan("one", (sys.executable, "-c", code), log=64 << 10))
    assert run_pipeline(request(tmp_path, plan), lambda _: None)
    (run,) = (tmp_path / "logs" / "runs").glob("*/*")
    assert sum(path.stat().st_size for path in run.glob("one.log*")) < 80 << 10


def test_a_log_that_cannot_be_written_on_does_not_hold_up_the_step(tmp_path: Path) -> None:
    # a limit on the size of files stands for a full disk: what is written beyond it fails
    code = "for n in range(100000): print(n)"
    limited = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50000, resource.RLIM_INFINITY))
    """
    environment(tmp_path, StepPlan("one", (sys.executable, "-c", code)))
    running = in_a_process(tmp_path, textwrap.dedent(limited).strip().replace("\n", "\n        "))
    _, told = running.communicate(timeout=60)
    assert running.returncode == 0, told
    (record,) = load_runs(tmp_path / "logs" / "runs")
    assert record.state == "succeeded"
    assert Path(record.steps[0].log).read_text().startswith("0\n1\n2\n")
