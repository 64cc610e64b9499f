"""What a run does with its steps: order, logs, reports, failures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataops.infra.errors import ConfigurationError, NotFoundError, ProgramError
from dataops.infra.platform.loader import load_platform
from dataops.infra.platform.run_plan import PipelinePlan, StepPlan, plan_pipeline
from dataops.services.request import selected_steps
from dataops.services.runner import run_pipeline
from dataops.services.runs import RunRecord, StepRecord, load_runs
from support.pipeline_runs import environment, request, step
from support.platform_file import write_platform


def run(root: Path, *steps: StepPlan, heard: list[StepRecord] | None = None, **settings: object) -> RunRecord:
    done = run_pipeline(
        request(root, environment(root, *steps), **settings), (heard if heard is not None else []).append
    )
    assert done is not None
    return done


def names(pipeline: PipelinePlan, **choice: str) -> list[str]:
    return [s.name for s in selected_steps(pipeline, **choice)]


def test_steps_are_planned_in_the_order_that_inputs_and_outputs_give(tmp_path: Path) -> None:
    platform = load_platform(write_platform(tmp_path))
    sales = plan_pipeline("sales", platform.pipelines["sales"])
    assert names(sales) == ["extract", "load", "marts"]
    assert names(sales, only="load") == ["load"]
    assert names(sales, since="load") == ["load", "marts"]
    assert sales.steps[2].needs == ("load",)


def test_from_a_step_on_means_all_that_comes_after_it_and_nothing_else() -> None:
    steps = (step("a"), step("b", "", "a"), step("side", "", "a"), step("c", "", "b"), step("d", "", "c", "side"))
    assert names(PipelinePlan("p", steps), since="b") == ["b", "c", "d"]
    with pytest.raises(ConfigurationError, match="exclude"):
        names(PipelinePlan("p", steps), since="b", only="a")


def test_an_unknown_pipeline_or_step_is_told_with_the_nearest(tmp_path: Path) -> None:
    plan = environment(tmp_path, step("extract"), step("load"))
    with pytest.raises(NotFoundError) as caught:
        run_pipeline(request(tmp_path, plan, pipeline="sale"), lambda _: None)
    assert caught.value.hint == "did you mean sales?"
    with pytest.raises(NotFoundError) as caught:
        run_pipeline(request(tmp_path, plan, only="zzz"), lambda _: None)
    assert caught.value.hint == "there are: extract, load"
    assert load_runs(tmp_path / "logs" / "runs") == []


def test_a_run_is_recorded_with_logs_rows_and_bytes(tmp_path: Path) -> None:
    report = """
        import json, os
        print("hello from", os.environ["GREETING"], os.getcwd(), os.environ["DATAOPS_ATTEMPT"])
        report = {"rows": {"raw.orders": 3}, "bytes": {"raw.orders": 42}}
        open(os.environ["DATAOPS_STEP_REPORT"], "w").write(json.dumps(report))
    """
    heard: list[StepRecord] = []
    record = run(tmp_path, step("one", report), step("two", "", "one"), heard=heard, user="ada")
    assert [(s.name, s.state) for s in heard] == [
        ("one", "running"), ("one", "succeeded"), ("two", "running"), ("two", "succeeded"),
    ]  # fmt: skip
    one = record.steps[0]
    assert (one.rows, one.bytes, one.exit, len(one.attempts)) == ({"raw.orders": 3}, {"raw.orders": 42}, 0, 1)
    assert Path(one.log).read_text() == f"hello from ada {tmp_path / 'code' / 'abc'} 1\n"
    assert (record.trigger, record.user, record.due) == ("manual", "ada", "")
    assert load_runs(tmp_path / "logs" / "runs") == [record]


def test_a_full_refresh_and_the_due_time_are_told_to_the_steps(tmp_path: Path) -> None:
    code = "import os; print(os.environ.get('DATAOPS_FULL_REFRESH'), os.environ.get('DATAOPS_DUE'))"
    record = run(tmp_path, step("one", code), full_refresh=True, due=1_800_000_000.0)
    assert Path(record.steps[0].log).read_text() == "1 2027-01-15T08:00:00.000+00:00\n"
    assert record.full_refresh and record.id == "20270115-080000-due"
    assert Path(run(tmp_path, step("one", code)).steps[0].log).read_text() == "None None\n"


def test_steps_get_no_variables_but_those_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "1")
    leak = "import os, sys; sys.exit('SECRET_OF_THE_SHELL' in os.environ)"
    assert run(tmp_path, step("one", leak)).state == "succeeded"


def test_steps_that_may_run_side_by_side_do(tmp_path: Path) -> None:
    meet = """
        import pathlib, sys, time
        me, other = sys.argv[1:]
        pathlib.Path(me).touch()
        deadline = time.monotonic() + 30
        while not pathlib.Path(other).exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
    """
    pair = [StepPlan(n, (*step(n, meet).command, n, o)) for n, o in (("left", "right"), ("right", "left"))]
    assert run(tmp_path, *pair).state == "succeeded"


def test_no_more_steps_run_at_once_than_the_pipeline_allows(tmp_path: Path) -> None:
    alone = """
        import pathlib, sys, time
        pathlib.Path("here").mkdir()
        time.sleep(0.02)
        pathlib.Path("here").rmdir()
    """
    plan = environment(tmp_path, *(step(f"s{n}", alone) for n in range(4)), parallel=1)
    assert run_pipeline(request(tmp_path, plan), lambda _: None).state == "succeeded"  # type: ignore[union-attr]


def test_a_failing_step_shows_the_end_of_its_log_and_stops_what_comes_after_it(tmp_path: Path) -> None:
    failing = "print('line 1', flush=True); raise SystemExit('no such table: raw.orders')"
    steps = (step("one"), step("two", failing, "one"), step("three", "", "two"), step("four", "", "three"), step("off"))
    with pytest.raises(ProgramError) as caught:
        run(tmp_path, *steps)
    assert caught.value.details == "line 1\nno such table: raw.orders"
    assert "step two exited with 1" in caught.value.what and "--from two" in str(caught.value.hint)
    (record,) = load_runs(tmp_path / "logs" / "runs")
    assert [(s.name, s.state, s.exit) for s in record.steps] == [
        ("one", "succeeded", 0), ("two", "failed", 1), ("three", "skipped", None), ("four", "skipped", None),
        ("off", "succeeded", 0),
    ]  # fmt: skip
    assert (record.state, record.reason) == ("failed", caught.value.what)


def test_a_step_that_was_killed_names_the_signal(tmp_path: Path) -> None:
    with pytest.raises(ProgramError) as caught:
        run(tmp_path, step("one", "import os; os.kill(os.getpid(), 9)"))
    assert "SIGKILL" in caught.value.what


def test_a_step_that_was_killed_by_a_signal_without_a_name_tells_its_number(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="was ended by signal 40"):
        run(tmp_path, step("one", "import os; os.kill(os.getpid(), 40)"))


def test_secrets_that_a_failing_step_printed_are_not_in_the_error(tmp_path: Path) -> None:
    plan = environment(tmp_path, step("one", "import os; raise SystemExit(os.environ['WAREHOUSE_URL'])"))
    asked = request(tmp_path, plan)
    secret = {"WAREHOUSE_URL": "postgresql://pipeline:opensesame@127.0.0.1/db", "PGPASSWORD": "opensesame"}
    with pytest.raises(ProgramError) as caught:
        run_pipeline(replace(asked, variables={**asked.variables, **secret}), lambda _: None)
    assert caught.value.details == "postgresql://pipeline:[secret]@127.0.0.1/db"
    (record,) = load_runs(tmp_path / "logs" / "runs")
    assert Path(record.steps[0].log).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("os.mkfifo(path)", "its report cannot be read: it is no file"),
        ("os.mkdir(path)", "its report cannot be read: Is a directory"),
        ("open(path, 'w').truncate(1 << 40)", "its report cannot be read: it is larger than 1 MiB"),
        ("open(path, 'w').write('[' * 100_000)", "its report is not JSON"),
    ],
)
def test_a_report_of_any_kind_does_not_stop_the_run(tmp_path: Path, code: str, problem: str) -> None:
    record = run(tmp_path, step("one", f"import os; path = os.environ['DATAOPS_STEP_REPORT']; {code}"))
    assert (record.state, record.steps[0].reason) == ("succeeded", problem)


def test_a_command_that_does_not_exist_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run(tmp_path, StepPlan("one", ("no-such-program",), attempts=3))
    assert "no-such-program" in caught.value.what
    (record,) = load_runs(tmp_path / "logs" / "runs")
    assert len(record.steps[0].attempts) == 1


def test_a_report_that_is_not_understood_is_told(tmp_path: Path) -> None:
    half = "import os; open(os.environ['DATAOPS_STEP_REPORT'], 'w').write('{\"rows\": ')"
    record = run(tmp_path, step("one", half))
    assert (record.state, record.steps[0].reason) == ("succeeded", "its report is not JSON")


def test_the_size_of_objects_in_the_lake_is_recorded_where_a_step_tells_none(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    code = f"open({str(lake / 'a.parquet')!r}, 'wb').write(b'x' * 1234)"
    plan = environment(tmp_path, step("one", code, outputs=("lake:a.parquet", "lake:none", "warehouse:raw.a")))
    asked = request(tmp_path, plan)
    done = run_pipeline(asked, lambda _: None)
    assert done is not None and done.steps[0].bytes == {"lake:a.parquet": 1234}
