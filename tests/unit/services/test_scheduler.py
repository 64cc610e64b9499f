"""The runner: with a clock that tests set, real files, and runs that are started in name only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops.infra.platform.run_plan import EnvironmentPlan, ScheduleRule
from dataops.services.exclusion import exclusive_run
from dataops.services.ledger import Ledger, Pause
from dataops.services.runs import RUNNING, SUCCEEDED, RunRecord, claim_run, due_run_id, iso, load_runs
from dataops.services.scheduler import LONGEST_WAIT, RETRY_PAUSE, Scheduler
from dataops.services.schedules import PipelineState, pipeline_states
from support.pipeline_runs import environment, step, write_plan

HOUR = 3600.0
MONDAY = datetime.fromisoformat("2026-05-04T10:00:00+00:00").timestamp()
HOURLY = ScheduleRule("0 * * * *")


@dataclass
class SetClock:
    """A clock that stands until it is set."""

    moment: float

    def now(self) -> float:
        return self.moment

    def wait(self, seconds: float) -> None:
        self.moment += seconds


@dataclass
class NamedLauncher:
    """Starts runs by claiming them, unless `broken`; they go on until `finish`."""

    runs: Path
    broken: bool = False
    started: list[float] = field(default_factory=list)
    going: bool = False

    def start(self, pipeline: str, due: float) -> None:
        self.started.append(due)
        if not self.broken:
            assert not self.going, "two runs at once"
            record = RunRecord(due_run_id(due), pipeline, "x", "c", SUCCEEDED, iso(due), "schedule", due=iso(due))
            assert claim_run(self.runs, record) is not None, "the due time was started before"
            self.going = True

    def is_running(self, pipeline: str) -> bool:
        return self.going


@dataclass
class House:
    """An environment with a schedule, and its runner."""

    root: Path
    plan: EnvironmentPlan
    clock: SetClock
    launcher: NamedLauncher
    scheduler: Scheduler
    said: list[str]

    def at(self, moment: float, finish: bool = True) -> list[float]:
        """Sets the clock and ticks; returns the due times that were started then."""
        self.clock.moment = moment
        before = len(self.launcher.started)
        self.scheduler.tick()
        self.launcher.going = self.launcher.going and not finish
        return self.launcher.started[before:]

    def restart(self) -> None:
        """Another process takes over."""
        self.scheduler = Scheduler(self.root, self.clock, self.launcher, self.said.append)

    def schedule(self, rule: ScheduleRule) -> None:
        """An update gives the pipeline another schedule."""
        self.plan = replace(self.plan, pipelines={"sales": replace(self.plan.pipelines["sales"], schedule=rule)})
        write_plan(self.root, self.plan)

    def state(self) -> PipelineState:
        return pipeline_states(self.root, self.clock.moment)[0]

    def missing(self) -> list[tuple[str, int]]:
        return [(r.due, r.missed) for r in load_runs(self.root / "logs" / "runs") if r.state == "missing"]


MakeHouse = Callable[..., House]


def make_house(root: Path, rule: ScheduleRule = HOURLY, moment: float = MONDAY) -> House:
    plan = environment(root, step("one"), schedule=rule)
    clock, said = SetClock(moment), list[str]()
    launcher = NamedLauncher(root / "logs" / "runs")
    return House(root, plan, clock, launcher, Scheduler(root, clock, launcher, said.append), said)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


def test_a_new_schedule_does_not_run_what_was_due_before_it(house: House) -> None:
    assert house.at(MONDAY + 1) == []
    assert house.state().state == "scheduled" and house.state().next == MONDAY + HOUR
    assert house.at(MONDAY + HOUR) == [MONDAY + HOUR]
    assert house.at(MONDAY + HOUR + 5) == []


def test_the_runner_sleeps_until_something_is_due_and_looks_around_now_and_then(house: House) -> None:
    assert house.scheduler.tick() == LONGEST_WAIT
    house.clock.moment = MONDAY + HOUR - 2
    assert house.scheduler.tick() == pytest.approx(2)


def test_after_an_outage_the_last_missed_due_time_is_started_and_the_others_are_noted(house: House) -> None:
    house.at(MONDAY + 1)
    house.restart()
    assert house.at(MONDAY + 5.5 * HOUR) == [MONDAY + 5 * HOUR]
    assert house.missing() == [(iso(MONDAY + 4 * HOUR), 4)]
    house.restart()
    assert house.at(MONDAY + 5.6 * HOUR) == []
    assert house.state().state == "scheduled"


def test_a_due_time_that_nobody_could_start_is_missing_and_seen_to_be(house: House) -> None:
    house.schedule(ScheduleRule("0 5 * * *"))
    house.at(MONDAY)
    day = 24 * HOUR
    house.clock.moment = MONDAY + day - 4.5 * HOUR
    assert house.state().state == "late" and house.state().late_since == MONDAY + day - 5 * HOUR
    house.clock.moment = MONDAY + day
    assert house.state().state == "missing"
    house.restart()
    assert house.at(MONDAY + day) == []
    assert house.missing() == [(iso(MONDAY + day - 5 * HOUR), 1)]
    assert house.state().state == "missing" and "in time" in house.state().to_json()["missed"]["reason"]


def test_with_catchup_all_are_started_one_after_the_other(house: House) -> None:
    house.schedule(replace(HOURLY, catchup=True, deadline=None))
    house.at(MONDAY)
    late = MONDAY + 3.5 * HOUR
    assert house.at(late, finish=False) == [MONDAY + HOUR]
    assert house.at(late + 5) == []
    assert [house.at(late + n) for n in (10, 15, 20)] == [[MONDAY + 2 * HOUR], [MONDAY + 3 * HOUR], []]
    assert house.missing() == []


def test_a_due_run_waits_for_the_one_that_goes_on_and_is_late(house: House) -> None:
    house.at(MONDAY)
    house.at(MONDAY + HOUR, finish=False)
    with exclusive_run(house.root / "runner", "sales", {"run": "x"}):
        assert house.at(MONDAY + 2.5 * HOUR, finish=False) == []
        assert house.state().state == "running" and house.state().late_since == MONDAY + 2 * HOUR
    house.launcher.going = False
    assert house.at(MONDAY + 2.6 * HOUR) == [MONDAY + 2 * HOUR]


def test_a_due_run_that_waited_too_long_is_missing(house: House) -> None:
    house.at(MONDAY)
    house.at(MONDAY + HOUR, finish=False)
    assert house.at(MONDAY + 3.5 * HOUR, finish=False) == []
    assert house.missing() == [(iso(MONDAY + 2 * HOUR), 1)]
    assert "another run of the pipeline was going on" in house.said[-1]


def test_a_pause_outlives_updates_and_what_passes_meanwhile_is_not_made_up_for(house: House) -> None:
    ledger = Ledger(house.root / "runner")
    house.at(MONDAY)
    ledger.set_pause("sales", Pause(True, MONDAY + 1, "ada", "source is down"))
    house.at(MONDAY + 10)
    write_plan(house.root, replace(house.plan, commit="d" * 40))
    house.restart()
    assert house.at(MONDAY + 3.5 * HOUR) == []
    assert house.state().state == "paused" and house.state().to_json()["paused_because"] == "source is down"
    ledger.set_pause("sales", Pause(False, MONDAY + 3.6 * HOUR, "ada"))
    # the runner was away when it was resumed, and comes back after the next due time
    house.restart()
    assert house.at(MONDAY + 4.1 * HOUR) == [MONDAY + 4 * HOUR]
    assert house.missing() == []


def test_a_schedule_that_the_environment_pauses_runs_once_it_is_resumed(house: House) -> None:
    house.schedule(replace(HOURLY, paused=True))
    assert house.at(MONDAY + 1.5 * HOUR) == [] and house.state().next is None
    Ledger(house.root / "runner").set_pause("sales", Pause(False, MONDAY + 1.6 * HOUR))
    assert house.at(MONDAY + 1.7 * HOUR) == []
    assert house.at(MONDAY + 2 * HOUR) == [MONDAY + 2 * HOUR]


def test_another_schedule_begins_at_the_present(house: House) -> None:
    house.at(MONDAY)
    house.schedule(ScheduleRule("30 * * * *"))
    assert house.at(MONDAY + 0.75 * HOUR) == []
    assert house.at(MONDAY + 1.5 * HOUR) == [MONDAY + 1.5 * HOUR]


def test_a_clock_that_was_wrong_for_a_while_starts_nothing_twice_and_stops_nothing(house: House) -> None:
    house.at(MONDAY)
    assert house.at(MONDAY + HOUR) == [MONDAY + HOUR]
    ahead = house.at(MONDAY + 50_000 * HOUR)
    assert ahead == [MONDAY + 50_000 * HOUR]
    assert house.at(MONDAY + 1.5 * HOUR) == []
    assert house.at(MONDAY + 2 * HOUR) == [MONDAY + 2 * HOUR]
    assert house.at(MONDAY) == []
    assert house.at(MONDAY + 2 * HOUR + 5) == []


def test_a_run_that_could_not_begin_is_tried_again_after_a_pause(house: House) -> None:
    house.at(MONDAY)
    house.launcher.broken = True
    assert house.at(MONDAY + HOUR) == [MONDAY + HOUR]
    assert house.at(MONDAY + HOUR + RETRY_PAUSE / 2) == []
    assert house.at(MONDAY + HOUR + RETRY_PAUSE) == [MONDAY + HOUR]
    house.launcher.broken = False
    assert house.at(MONDAY + HOUR + 2 * RETRY_PAUSE) == [MONDAY + HOUR]
    assert house.at(MONDAY + HOUR + 3 * RETRY_PAUSE) == []


def test_without_a_plan_or_with_a_broken_one_the_runner_waits(house: House) -> None:
    house.at(MONDAY)
    plan = house.root / "runner" / "plan.json"
    plan.rename(plan.with_suffix(".away"))
    assert house.at(MONDAY + HOUR) == [] and pipeline_states(house.root, MONDAY) == []
    plan.write_text('{"pipelines": 1}')
    assert house.at(MONDAY + HOUR + 1) == [] and "cannot be read" in house.said[-1]
    plan.with_suffix(".away").replace(plan)
    assert house.at(MONDAY + HOUR + 2) == [MONDAY + HOUR]


def test_a_runner_that_cannot_write_says_so_and_goes_on(house: House) -> None:
    house.at(MONDAY)
    (house.root / "logs").mkdir(exist_ok=True)
    (house.root / "logs" / "runs").write_text("in the way")
    assert house.at(MONDAY + 3.5 * HOUR) == []
    assert "cannot be written" in house.said[-1]
    (house.root / "logs" / "runs").unlink()
    assert house.at(MONDAY + 3.6 * HOUR) == [MONDAY + 3 * HOUR]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([5.0, 600.0, HOUR, 3 * HOUR, -HOUR, 26 * HOUR]),
            st.sampled_from(["", "", "restart", "pause", "resume", "go on"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_never_two_runs_for_a_due_time_and_never_two_at_once(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[float, str]]
) -> None:
    house = make_house(tmp_path_factory.mktemp("house"), ScheduleRule("*/20 * * * *", "Europe/Berlin"))
    house.at(MONDAY)
    for seconds, event in events:
        if event == "restart":
            house.restart()
        elif event in ("pause", "resume"):
            Ledger(house.root / "runner").set_pause("sales", Pause(event == "pause", house.clock.moment))
        house.at(house.clock.moment + seconds, finish=event != "go on")  # the launcher asserts
    records = load_runs(house.root / "logs" / "runs")
    assert len({r.id for r in records}) == len(records)
    assert all(r.state != RUNNING for r in records)


def test_the_runner_imports_little() -> None:
    code = "import sys, dataops.services.scheduler; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pulumi", "pydantic", "pyarrow", "psycopg", "psutil", "rich", "click", "asyncio", "ruamel"} & {*loaded}
