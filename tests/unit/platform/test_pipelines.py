"""Schedules, retries and limits in `dataops.yaml`: what is refused, where, and the plan that comes of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataops.infra.platform.loader import load_platform, parse_platform
from dataops.infra.platform.problems import PlatformError
from dataops.infra.platform.quantities import bytes_of, duration_text, seconds_of, size_text
from dataops.infra.platform.run_plan import (
    EnvironmentPlan,
    PipelinePlan,
    ScheduleRule,
    StepPlan,
    plan_pipeline,
    read_plan,
)
from support.platform_file import PLATFORM_TEXT, write_platform

SCHEDULE = '    schedule: {cron: "0 5 * * *", timezone: UTC}\n'
LOAD = "        run: [python, -m, pipelines.load]\n"


def platform_with(schedule: str = SCHEDULE, load: str = "") -> str:
    return PLATFORM_TEXT.replace(SCHEDULE, schedule).replace(LOAD, LOAD + load)


def indented(load: str) -> str:
    return f"        {load}\n"


@pytest.mark.parametrize(
    ("schedule", "load", "line", "what"),
    [
        (SCHEDULE.replace("UTC}", "UTC, startingDeadline: soon}"), "", 12, "expected a duration such as `90s` or"),
        (SCHEDULE.replace("UTC}", "UTC, startingDeadlne: 1h}"), "", 12, "unknown key `startingDeadlne`"),
        (SCHEDULE.replace("UTC}", "UTC, catchup: maybe}"), "", 12, "expected true or false"),
        (SCHEDULE.replace("0 5 * * *", "0 5 30 2 *"), "", 12, "the schedule would never be due"),
        (SCHEDULE + "    parallel: 0\n", "", 13, "expected a number of at least 1"),
        (SCHEDULE + "    timeout: 90\n", "", 13, "expected a duration such as `90s` or `1h30m`"),
        (SCHEDULE, indented("timeout: 0s"), 19, "expected a duration"),
        (SCHEDULE, indented("retries: {delay: 1s}"), 19, "the key `attempts` is missing"),
        (SCHEDULE, indented("retries: {attempts: 1}"), 19, "expected a number of at least 2"),
        (SCHEDULE, indented("retries: {attempts: 2, backof: 2}"), 19, "unknown key `backof`"),
        (SCHEDULE, indented("limits: {memory: 512}"), 19, "expected a size such as `512MiB` or `2GB`"),
        (SCHEDULE, indented("limits: {openFiles: 1}"), 19, "expected a number of at least 16"),
        (SCHEDULE, indented("needs: [marts]"), 17, "the steps wait for one another: load → marts → load"),
    ],
)
def test_mistakes_are_told_with_their_line(schedule: str, load: str, line: int, what: str) -> None:
    with pytest.raises(PlatformError) as caught:
        parse_platform(Path("dataops.yaml"), platform_with(schedule, load))
    problem = caught.value.problems[0]
    assert what in problem.what and problem.line == line


def test_an_unknown_key_is_told_with_the_nearest() -> None:
    with pytest.raises(PlatformError) as caught:
        parse_platform(Path("dataops.yaml"), platform_with(load=indented("limits: {memmory: 1GiB}")))
    assert caught.value.hint == "did you mean `memory`?"


def test_the_plan_has_seconds_bytes_and_defaults() -> None:
    load = (
        "timeout: 1h30m\n        retries: {attempts: 3, delay: 500ms}\n        limits: {memory: 1.5GiB, cpuTime: 10m}"
    )
    platform = parse_platform(Path("dataops.yaml"), platform_with(load=indented(load)))
    sales = plan_pipeline("sales", platform.pipelines["sales"])
    step = sales.steps[1]
    assert (step.timeout, step.attempts, step.delay, step.backoff) == (5400, 3, 0.5, 2)
    assert (step.memory, step.cpu_time, step.open_files) == (1_610_612_736, 600, None)
    assert (sales.parallel, sales.timeout, sales.steps[0].attempts) == (4, None, 1)
    assert sales.schedule == ScheduleRule("0 5 * * *", deadline=3600)


@pytest.mark.parametrize(
    ("words", "deadline"),
    [("", 3600), (", catchup: true", None), (", catchup: true, startingDeadline: 1d", 86400)],
)
def test_a_schedule_that_catches_up_does_so_however_late_unless_told_otherwise(
    words: str, deadline: float | None
) -> None:
    platform = parse_platform(Path("dataops.yaml"), platform_with(SCHEDULE.replace("UTC}", f"UTC{words}}}")))
    rule = plan_pipeline("sales", platform.pipelines["sales"]).schedule
    assert rule is not None and rule.deadline == deadline


def test_a_plan_is_read_as_it_was_written_and_what_is_new_in_it_is_left_out(tmp_path: Path) -> None:
    platform = load_platform(write_platform(tmp_path))
    sales = plan_pipeline("sales", platform.pipelines["sales"])
    plain = PipelinePlan("plain", (StepPlan("one", ("true",)),))
    plan = EnvironmentPlan("x", "replica", "c", "/code", pipelines={"sales": sales, "plain": plain})
    path = tmp_path / "plan.json"
    document = plan.to_json()
    document["pipelines"]["sales"]["steps"][0]["colour"] = "red"
    path.write_text(json.dumps({**document, "later": 1}))
    assert read_plan(path) == plan
    assert read_plan(tmp_path / "none") is None
    path.write_text("[]")
    with pytest.raises(ValueError):
        read_plan(path)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("1.5m", 90), ("250ms", 0.25), ("2d", 172800)]
)
def test_durations_are_those_of_go_and_days(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "s", "1h 30m", "-5s", "1w"])
def test_other_words_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError):
        seconds_of(text)


def test_quantities_are_said_as_people_write_them() -> None:
    assert (duration_text(5400), duration_text(0.25), duration_text(90061)) == ("1h30m", "0.25s", "1d1h")
    assert (size_text(512), size_text(1536), bytes_of("2GB"), bytes_of("1KiB")) == ("512 B", "1.5 KiB", 2 * 10**9, 1024)
