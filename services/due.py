"""When a pipeline is due, and what to do about due times: pure arithmetic on seconds since 1970.

A *due time* is a moment that a cron expression names in a time zone. A pipeline's *cursor* is the moment up to which
due times have been dealt with: each was started, or noted as missing. The rules:

- A due time is started at most once, whatever clocks do; `was_started` knows from the records of runs.
- One that cannot be started within the schedule's deadline is missing. Of several that may still start, the last one
  stands for all, and the others are missing; with `catchup` each is started, the oldest first.
- While a run of the pipeline goes on, due times wait.
- A clock that jumps ahead makes due times pass at once: they are dealt with as after an outage. A clock that is set
  back takes the cursor with it, so that a wrong clock cannot stop a schedule for years (systemd/systemd#6036); due
  times that were started are not started again.
- Summer time is dealt with as Debian's cron does: a time of day that does not exist is due when the clock moved on,
  one that exists twice is due once, and expressions with `*` in minute or hour follow real time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from dataops.infra.platform.run_plan import ScheduleRule

LOOK_BACK = 3 * 3600
"""Seconds before the cursor at which iteration begins, so that it never begins within a change of summer time."""

MOST = 1000
"""Due times that are looked at in one go; after an outage that is longer, older ones are not counted one by one."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Due times that passed without a run.

    Args:
        first, last: the earliest and the latest of them.
        count: how many; at `MOST`, or more.
        superseded: whether a later due time stands for them.
    """

    first: float
    last: float
    count: int
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    Args:
        cursor: where the cursor goes.
        start: the due time to start a run for, None for none; the cursor passes it when it has been started.
        missed: due times to note as missing.
        waiting: the earliest due time that waits because a run goes on.
        upcoming: the next due time, None when there is none for years.
    """

    cursor: float
    start: float | None = None
    missed: Missed | None = None
    waiting: float | None = None
    upcoming: float | None = None


def due_times(rule: ScheduleRule, after: float) -> Iterator[float]:
    """The due times after a moment, in order."""
    zone = ZoneInfo(rule.timezone)
    try:
        last = after
        for moment in CronSim(rule.cron, datetime.fromtimestamp(after - LOOK_BACK, UTC).astimezone(zone)):
            found = moment.timestamp()
            if found > last:
                last = found
                yield found
    except (CronSimError, OverflowError, RuntimeError):  # never again: a generator turns StopIteration into the latter
        return


def next_due(rule: ScheduleRule, after: float) -> float | None:
    """The first due time after a moment."""
    return next(due_times(rule, after), None)


def decide(rule: ScheduleRule, cursor: float, now: float, busy: bool, was_started: Callable[[float], bool]) -> Decision:
    """What to do about the due times since the cursor.

    Args:
        cursor: see above.
        now: the present.
        busy: whether a run of the pipeline goes on.
        was_started: whether a run for a due time has been started before.
    """
    cursor = min(cursor, now)
    missed: Missed | None = None
    if rule.deadline is not None:
        missed, cursor = _passed(rule, cursor, math.ceil(now - rule.deadline) - 1, was_started)
    pending = _Pending.between(rule, cursor, now, was_started)
    upcoming = next_due(rule, now)
    cursor = pending.passed
    if pending.count == 0:
        return Decision(cursor, None, missed, None, upcoming)
    if busy:
        return Decision(cursor, None, missed, pending.first, upcoming)
    if rule.catchup:
        return Decision(cursor, pending.first, missed, None, upcoming)
    if pending.count == 1:
        stood_for = replace(missed, superseded=True) if missed else None
        return Decision(cursor, pending.first, stood_for, None, upcoming)
    count = min(pending.count - 1 + (missed.count if missed else 0), MOST)
    missed = Missed(missed.first if missed else pending.first, pending.before_last, count, superseded=True)
    return Decision(pending.before_last, pending.last, missed, None, upcoming)


@dataclass(frozen=True, slots=True)
class _Pending:
    """Due times that may still start; `passed` is how far the cursor may go, past those that were started before."""

    passed: float
    first: float
    before_last: float
    last: float
    count: int

    @classmethod
    def between(cls, rule: ScheduleRule, after: float, now: float, was_started: Callable[[float], bool]) -> _Pending:
        passed = first = before_last = last = after
        count = 0
        for due in _thinned(rule, after, now):
            if not was_started(due):
                first, before_last, last, count = (due if count == 0 else first), last, due, count + 1
            elif count == 0:
                passed = due
        return cls(passed, first, before_last, last, count)


def _thinned(rule: ScheduleRule, after: float, now: float) -> Iterator[float]:
    """The due times up to now; of very many, all of the first and of the last ones and fewer in between."""
    while True:
        passed = itertools.takewhile(lambda due: due <= now, due_times(rule, after))
        found = list(itertools.islice(passed, MOST))
        yield from found
        if len(found) < MOST:
            return
        after = max(found[-1], (found[-1] + now) // 2)


def _passed(
    rule: ScheduleRule, cursor: float, until: float, was_started: Callable[[float], bool]
) -> tuple[Missed | None, float]:
    """The due times from the cursor up to a moment that nobody started, and how far the cursor goes with them."""
    if until <= cursor:
        return None, cursor
    found = list(_thinned(rule, cursor, until))
    never = [due for due in found if not was_started(due)]
    missed = Missed(never[0], never[-1], min(len(never), MOST)) if never else None
    return missed, max(found, default=cursor)
