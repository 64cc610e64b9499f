"""What can be seen of an environment's pipelines: when each is due next, what its last run was, and whether it is late.

States of a pipeline: `running`; `paused`; `late` (a due run has not begun, a minute after it should have); `missing`
(the newest due time passed without a run); `scheduled`; `unscheduled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.platform.run_plan import PipelinePlan, read_plan
from dataops.services.due import decide, next_due
from dataops.services.exclusion import holder_of
from dataops.services.ledger import Ledger, Pause
from dataops.services.runs import MISSING, RunRecord, iso, load_runs, was_started

LATE = 60.0
"""Seconds after which a due run that has not begun is late."""

ALARMING = frozenset({"late", "missing"})
"""States that somebody should look into."""

LOOKED_AT = 20
"""The newest runs that are read."""


@dataclass(frozen=True, slots=True)
class PipelineState:
    """A pipeline as it is now.

    Args:
        plan: what it is.
        state: see above.
        next: the next due time in seconds since 1970; None when there is none, or while it is paused.
        late_since: the due time whose run is late.
        last: the newest run that began; last_due: the newest record of a due time, which may be missing.
        pause: what somebody said last about its schedule.
        paused: whether its schedule waits.
        running: who runs it, see `exclusion.holder_of`.
    """

    plan: PipelinePlan
    state: str
    next: float | None = None
    late_since: float | None = None
    last: RunRecord | None = None
    last_due: RunRecord | None = None
    pause: Pause | None = None
    paused: bool = False
    running: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.plan.name

    def summary(self) -> str:
        """The state in a line: `late since 2026-05-04T05:00Z`, `scheduled, next 2026-05-05T05:00Z`."""
        word = self.state
        if self.late_since is not None:
            word = f"{word}, late since {_minute(self.late_since)}"
        elif self.state == "missing" and self.last_due is not None:
            word = f"missing: the run due {self.last_due.due[:16]}Z"
        elif self.state == "paused" and self.pause is not None and self.pause.reason:
            word = f"paused: {self.pause.reason}"
        upcoming = f", next {_minute(self.next)}" if self.next is not None else ""
        return f"{word}{upcoming}{f', last {self.last.state}' if self.last and self.last.ended else ''}"

    def to_json(self) -> dict[str, Any]:
        """The state as `-o json` prints it."""
        schedule, last = self.plan.schedule, self.last
        return {
            "name": self.name,
            "steps": [step.name for step in self.plan.steps],
            "state": self.state,
            "schedule": {"cron": schedule.cron, "timezone": schedule.timezone} if schedule else None,
            "next": None if self.next is None else iso(self.next),
            "late_since": None if self.late_since is None else iso(self.late_since),
            "last": {"id": last.id, "state": last.state, "started": last.started, "seconds": last.seconds}
            if last
            else None,
            "missed": {"due": self.last_due.due, "count": self.last_due.missed, "reason": self.last_due.reason}
            if self.last_due and self.last_due.state == MISSING
            else None,
            "paused": self.paused,
            "paused_by": self.pause.user if self.paused and self.pause else None,
            "paused_because": self.pause.reason if self.paused and self.pause else None,
            "running": self.running,
        }


def _minute(moment: float) -> str:
    return f"{iso(moment)[:16]}Z"


def pipeline_states(root: Path, now: float) -> list[PipelineState]:
    """The pipelines of the environment at `root`; none when it has no plan (yet).

    Args:
        root: `EnvironmentLayout.root`.
        now: the present, in seconds since 1970.
    """
    layout = EnvironmentLayout(root)
    try:
        plan = read_plan(layout.plan)
    except ValueError:
        plan = None
    return [_state(layout, pipeline, now) for pipeline in plan.pipelines.values()] if plan else []


def running_pipelines(root: Path) -> list[dict[str, Any]]:
    """Who runs pipelines of the environment at `root` now: `pipeline`, and what `exclusion.holder_of` says."""
    runner = EnvironmentLayout(root).runner
    found = [(lock.stem, holder_of(runner, lock.stem)) for lock in sorted(runner.glob("*.lock"))]
    return [{"pipeline": name, **holder} for name, holder in found if holder is not None]


def _state(layout: EnvironmentLayout, pipeline: PipelinePlan, now: float) -> PipelineState:
    name, rule, ledger = pipeline.name, pipeline.schedule, Ledger(layout.runner)
    records = load_runs(layout.runs, name, limit=LOOKED_AT)
    last = max((r for r in records if r.started), key=lambda r: r.started, default=None)
    last_due = max((r for r in records if r.due), key=lambda r: r.due, default=None)
    running = holder_of(layout.runner, name)
    if rule is None:
        return PipelineState(pipeline, "running" if running is not None else "unscheduled", last=last, running=running)
    paused, cursor = ledger.is_paused(name, rule), ledger.advanced(name, rule, now)
    decision = decide(rule, cursor.moment, now, running is not None, lambda due: was_started(layout.runs, name, due))
    pending = decision.waiting if decision.waiting is not None else decision.start
    late_since = pending if pending is not None and now - pending >= LATE and not paused else None
    missing = (decision.missed is not None and not decision.missed.superseded) or (
        last_due is not None and last_due.state == MISSING
    )
    if running is not None:
        state = "running"
    elif paused:
        state = "paused"
    elif late_since is not None:
        state = "late"
    else:
        state = "missing" if missing else "scheduled"
    return PipelineState(
        plan=pipeline,
        state=state,
        next=None if paused else next_due(rule, now),
        late_since=late_since,
        last=last,
        last_due=last_due,
        pause=ledger.pause(name),
        paused=paused,
        running=running,
    )
