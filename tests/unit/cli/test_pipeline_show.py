"""What `pipeline run|runs|ls` show of pipelines: short enough to read, and true of pipelines that never ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.cli.commands.pipeline_run import command_text
from dataops.cli.commands.pipeline_show import chain
from dataops.cli.tables import print_table
from dataops.envs.pipeline import run_of, runs_of, set_paused, states_of
from dataops.envs.registry import EnvironmentRecord, State
from dataops.infra.errors import NotFoundError
from dataops.infra.platform.run_plan import PipelinePlan, ScheduleRule, StepPlan
from dataops.services.runner import run_pipeline
from support.pipeline_runs import environment, request, step


def ordered(count: int) -> PipelinePlan:
    names = [f"step{n:03}" for n in range(count)]
    needs = [(), *((name,) for name in names)]
    return PipelinePlan("sales", tuple(StepPlan(n, ("true",), need) for n, need in zip(names, needs, strict=False)))


def record_of(root: Path) -> EnvironmentRecord:
    return EnvironmentRecord(
        name="feature-x", platform="p", role="replica", branch="x", commit="c" * 40, repository=str(root),
        directory="", root=str(root), backend="", project="p", stack="feature-x", passphrase={}, state=State.READY,
    )  # fmt: skip


def test_the_order_of_steps_fits_a_row_however_many_there_are() -> None:
    assert chain(ordered(3)) == "step000 → step001 → step002"
    assert chain(ordered(200)) == "step000 → … → step199 (200 steps)"


def test_a_command_is_shown_on_one_line_and_by_the_name_of_its_program() -> None:
    assert command_text(["/venv/bin/python", "-m", "pipelines.load"]) == "python -m pipelines.load"
    assert command_text(["./load", "a\n\tb"]) == "./load 'a b'"
    assert len(command_text(["sh", "-c", "x" * 1000])) == 101


def test_a_pipeline_that_never_ran_is_told_from_one_that_does_not_exist(tmp_path: Path) -> None:
    environment(tmp_path, step("one"))
    record = record_of(tmp_path)
    assert runs_of(record, "sales") == []
    with pytest.raises(NotFoundError, match="no pipeline named sale$") as caught:
        runs_of(record, "sale")
    assert caught.value.hint == "did you mean sales?"
    with pytest.raises(NotFoundError, match="nothing has run yet"):
        run_of(record, None, "last")


def test_the_last_run_of_any_pipeline_can_be_asked_for(tmp_path: Path) -> None:
    plan = environment(tmp_path, step("one"))
    done = run_pipeline(request(tmp_path, plan), lambda _: None)
    assert done is not None
    record = record_of(tmp_path)
    assert run_of(record, None, "last").id == run_of(record, "sales", done.id[:15]).id == done.id
    with pytest.raises(NotFoundError, match="there is no run 1999"):
        run_of(record, "sales", "1999")


def test_a_reason_is_one_line_and_may_be_given_anew(tmp_path: Path) -> None:
    environment(tmp_path, step("one"), schedule=ScheduleRule("0 5 * * *"))
    record = record_of(tmp_path)
    assert set_paused(record, "sales", True, "source\nis \x1b[31mdown")
    (state,) = states_of(record)
    assert state.pause is not None and state.pause.reason == "source is [31mdown"
    assert not set_paused(record, "sales", True)
    assert set_paused(record, "sales", True, "another")
    assert set_paused(record, "sales", False) and not set_paused(record, "sales", False)


def test_no_cell_breaks_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "TEXT"), [("a", "one\ntwo\tthree"), ("b\x1b[1m", "x")])
    assert capsys.readouterr().out.splitlines() == ["NAME   TEXT", "a      one two three", "b [1m  x"]
