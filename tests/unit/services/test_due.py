"""The arithmetic of schedules: when pipelines are due, and what becomes of every due time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops.infra.platform.run_plan import ScheduleRule
from dataops.services.due import MOST, Decision, decide, due_times, next_due

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Auckland")
HOUR, DAY = 3600.0, 86400.0

minutes = st.sampled_from(["0", "30", "*/20", "*/5", "15,45", "5-7", "59"])
hours = st.sampled_from(["*", "2", "1-3", "*/6", "0,12", "23"])
days = st.sampled_from(["* * *", "* * 1-5", "1 * *", "*/2 * *", "* 3,10,11 0"])
rules = st.builds(
    lambda minute, hour, day, zone, catchup, deadline: ScheduleRule(
        f"{minute} {hour} {day}", zone, catchup=catchup, deadline=deadline
    ),
    minutes, hours, days, st.sampled_from(ZONES), st.booleans(), st.sampled_from([120.0, HOUR, 5 * HOUR, 2 * DAY]),
)  # fmt: skip
moments = st.one_of(
    st.integers(1_735_689_600, 1_830_297_600),
    # within a day of a change of summer time
    st.builds(
        lambda change, offset: change + offset,
        st.sampled_from([1_772_953_200, 1_793_512_800, 1_774_746_000, 1_792_890_000, 1_775_314_800]),
        st.integers(-86_400, 86_400),
    ),
).map(float)


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def never(due: float) -> bool:
    return False


@settings(max_examples=60, deadline=None)
@given(rules, moments, st.floats(0, 3 * DAY))
def test_due_times_do_not_depend_on_where_one_begins(rule: ScheduleRule, begin: float, later: float) -> None:
    end = begin + later + 10 * DAY
    whole = list(itertools.takewhile(lambda due: due <= end, due_times(rule, begin)))
    rest = list(itertools.takewhile(lambda due: due <= end, due_times(rule, begin + later)))
    assert rest == [due for due in whole if due > begin + later]
    assert whole == sorted(set(whole)) and all(due > begin for due in whole)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("time", ["30 2", "0 0", "30 1", "59 23", "0 3"])
def test_a_time_of_day_is_due_once_a_day_the_year_round(zone: str, time: str) -> None:
    year = due_times(ScheduleRule(f"{time} * * *", zone), at("2026-01-01T00:00", zone) - 1)
    found = list(itertools.takewhile(lambda due: due < at("2027-01-01T00:00", zone), year))
    assert len(found) == 365
    assert len({datetime.fromtimestamp(due, ZoneInfo(zone)).date() for due in found}) == 365


def test_a_time_that_the_clock_skips_is_due_when_it_moved_on() -> None:
    rule = ScheduleRule("30 2 * * *", "America/New_York")
    assert next_due(rule, at("2026-03-08T00:00", rule.timezone)) == at("2026-03-08T03:00", rule.timezone)


def test_an_expression_for_every_hour_follows_real_time() -> None:
    rule = ScheduleRule("0 * * * *", "Europe/Berlin")
    found = list(itertools.islice(due_times(rule, at("2026-10-25T00:00", "UTC") - 4 * HOUR), 8))
    assert {later - earlier for earlier, later in itertools.pairwise(found)} == {HOUR}


def test_of_several_missed_due_times_the_last_stands_for_all() -> None:
    rule, start = ScheduleRule("0 * * * *"), at("2026-05-04T10:00")
    found = decide(rule, start, start + 5.5 * HOUR, False, never)
    assert found.start == start + 5 * HOUR
    assert found.missed and (found.missed.count, found.missed.superseded) == (4, True)


def test_with_catchup_every_missed_due_time_is_started_the_oldest_first() -> None:
    rule, start = ScheduleRule("0 * * * *", catchup=True, deadline=None), at("2026-05-04T10:00")
    done: set[float] = set()
    cursor = start
    for hour in range(1, 6):
        found = decide(rule, cursor, start + 5.5 * HOUR, False, done.__contains__)
        assert found.start == start + hour * HOUR and found.missed is None
        done.add(found.start)
        cursor = found.cursor
    assert decide(rule, cursor, start + 5.5 * HOUR, False, done.__contains__).start is None


def test_what_cannot_start_within_the_deadline_is_missing() -> None:
    rule, start = ScheduleRule("0 5 * * *", deadline=HOUR), at("2026-05-04T00:00")
    assert decide(rule, start, start + 6 * HOUR, False, never).start == start + 5 * HOUR
    found = decide(rule, start, start + 6 * HOUR + 1, False, never)
    assert found.start is None
    assert found.missed and (found.missed.last, found.missed.superseded) == (start + 5 * HOUR, False)


def test_a_due_time_waits_for_the_run_that_goes_on() -> None:
    rule, start = ScheduleRule("0 5 * * *"), at("2026-05-04T00:00")
    found = decide(rule, start, start + 5.5 * HOUR, True, never)
    assert (found.start, found.waiting, found.missed) == (None, start + 5 * HOUR, None)
    assert decide(rule, found.cursor, start + 5.6 * HOUR, False, never).start == start + 5 * HOUR


def test_a_clock_that_was_decades_ahead_does_not_stop_the_schedule() -> None:
    rule, start = ScheduleRule("*/5 * * * *"), at("2026-05-04T10:01")
    ahead = decide(rule, start, at("2098-01-01T00:00"), False, never)
    assert ahead.missed and ahead.missed.count == MOST
    back = decide(rule, ahead.cursor, start + 60, False, never)
    assert (back.start, back.missed, back.upcoming) == (None, None, at("2026-05-04T10:05"))
    assert decide(rule, back.cursor, at("2026-05-04T10:05"), False, never).start == at("2026-05-04T10:05")


def test_an_outage_of_years_is_dealt_with_at_once() -> None:
    rule, start = ScheduleRule("* * * * *"), at("2020-01-01T00:00")
    found = decide(rule, start, at("2026-01-01T00:00:30"), False, never)
    assert found.start == at("2026-01-01T00:00")
    assert found.missed and found.missed.first == start + 60 and found.missed.count == MOST


def test_a_schedule_that_is_never_due_again_is_no_error() -> None:
    assert next_due(ScheduleRule("0 0 1 1 *"), datetime(9000, 1, 1, tzinfo=UTC).timestamp()) is not None
    assert next_due(ScheduleRule("0 0 29 2 *"), at("2026-01-01T00:00")) == at("2028-02-29T00:00")


@dataclass
class World:
    """A runner that applies decisions: what was started and what was noted as missing, and whether it ever overlaps."""

    rule: ScheduleRule
    now: float
    cursor: float = 0.0
    over_at: float = 0.0
    started: set[float] = field(default_factory=set)
    missed: set[float] = field(default_factory=set)
    seen: Decision | None = None

    def look(self, length: float) -> None:
        """One tick; a run that is started takes `length` seconds by a clock of its own."""
        busy = self.over_at > 0
        found = decide(self.rule, self.cursor, self.now, busy, self.started.__contains__)
        if found.missed:
            within = due_times(self.rule, found.missed.first - 1)
            gone = {due for due in itertools.takewhile(lambda due: due <= found.missed.last, within)}  # type: ignore[union-attr]
            self.missed |= gone - self.started
            assert found.start not in gone
        if found.start is not None:
            assert not busy and found.start not in self.started and found.start <= self.now
            self.started.add(found.start)
            self.over_at = length
        self.cursor, self.seen = found.cursor, found

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.over_at = max(0.0, self.over_at - seconds)


@settings(max_examples=80, deadline=None)
@given(
    rules,
    moments,
    st.lists(
        st.tuples(
            st.sampled_from([1.0, 60.0, 600.0, HOUR, 3 * HOUR]),
            st.sampled_from([0.0, 0.0, 0.0, 0.0, 2 * HOUR, DAY, -10.0, -HOUR, -DAY]),
            st.sampled_from([0.0, 30.0, HOUR, 8 * HOUR]),
        ),
        min_size=1,
        max_size=12,
    ),
)
def test_every_due_time_is_started_once_or_missing_whatever_the_clock_does(
    rule: ScheduleRule, begin: float, events: list[tuple[float, float, float]]
) -> None:
    world = World(rule, begin, cursor=begin)
    for seconds, jump, length in events:
        world.pass_time(seconds)
        world.now += jump  # a run does not notice that the clock was set
        world.look(length)
    passed = set(itertools.takewhile(lambda due: due <= world.now, due_times(rule, begin)))
    assert world.seen is not None
    waiting = {due for due in passed if world.seen.waiting is not None and due >= world.seen.waiting}
    ahead = {due for due in passed if rule.catchup and due > world.cursor}
    assert passed <= world.started | world.missed | waiting | ahead
    if not rule.catchup and not waiting:
        assert not {due for due in passed if due > world.cursor} - world.started
