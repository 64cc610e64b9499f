"""The runner of an environment: starts pipelines when they are due. `python -m dataops.services.scheduler <root>`

It is kept running by the environment's supervisor and holds no state but in files, so it may be restarted at any time.
It imports little, since every environment has one. Each run is a process of its own, in a session of its own
(`dataops.services.execution`), so that it outlives the runner.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from dataops.infra.errors import ResourceError
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.platform.run_plan import EnvironmentPlan, PipelinePlan, ScheduleRule, read_plan
from dataops.services.clock import Clock, SystemClock
from dataops.services.due import Missed, decide
from dataops.services.exclusion import holder_of
from dataops.services.ledger import Cursor, Ledger
from dataops.services.runs import MISSING, SCHEDULE, RunRecord, due_run_id, iso, prune_missing, save_run, was_started

LONGEST_WAIT = 5.0
"""Seconds after which the runner looks again: at its plan, at what was paused or resumed, and at the clock."""

RETRY_PAUSE = 15.0
"""Seconds before a run that could not even begin, on a full disk say, is started again."""

USER = "schedule"

Say = Callable[[str], None]


class Launcher(Protocol):
    """Starts runs."""

    def start(self, pipeline: str, due: float) -> None:
        """Starts the run of a due time and returns at once."""
        ...

    def is_running(self, pipeline: str) -> bool:
        """Whether a run of the pipeline goes on, whoever started it."""
        ...


class Scheduler:
    """One environment's schedules. `tick` does what is to be done at this moment."""

    def __init__(self, root: Path, clock: Clock, launcher: Launcher, say: Say) -> None:
        self._layout = EnvironmentLayout(root)
        self._ledger = Ledger(self._layout.runner)
        self._clock, self._launcher, self._say = clock, launcher, say
        self._plan: EnvironmentPlan | None = None
        self._plan_seen: tuple[int, int] | None = None
        self._tried: dict[str, tuple[float, float]] = {}
        self._quiet: dict[str, tuple[Cursor, ScheduleRule, float]] = {}

    def run_for_ever(self) -> None:
        """Ticks until the process is ended."""
        while True:
            self._clock.wait(self.tick())

    def tick(self) -> float:
        """Starts what is due, notes what was missed; returns after how many seconds to look again."""
        plan = self._read_plan()
        waits = [LONGEST_WAIT]
        for pipeline in plan.pipelines.values() if plan else ():
            if pipeline.schedule is not None:
                try:
                    waits.append(self._attend(pipeline, pipeline.schedule))
                except (ResourceError, OSError) as error:  # the next look finds everything as it was
                    self._say(f"{pipeline.name}: {error}")
        return max(0.0, min(waits))

    def _attend(self, pipeline: PipelinePlan, rule: ScheduleRule) -> float:
        name, now = pipeline.name, self._clock.now()
        known, cursor = self._ledger.cursor(name), self._ledger.advanced(name, rule, now)
        if known is None or (known.schedule, known.paused) != (cursor.schedule, cursor.paused):
            self._ledger.set_cursor(name, cursor)
        if cursor.paused:
            return LONGEST_WAIT
        if (quiet := self._quiet.get(name)) and quiet[:2] == (cursor, rule) and cursor.moment <= now < quiet[2]:
            return quiet[2] - now  # nothing is due before that, which is not worth finding out again
        runs = self._layout.runs
        busy = self._launcher.is_running(name)
        decision = decide(rule, cursor.moment, now, busy, lambda due: was_started(runs, name, due))
        if decision.missed:
            self._note_missing(name, decision.missed, decision.start, busy)
        if decision.cursor != cursor.moment:
            self._ledger.set_cursor(name, Cursor(decision.cursor, cursor.schedule))
        if decision.start is not None and self._may_start(name, decision.start, now):
            self._say(f"{name}: starting the run due {iso(decision.start)}")
            self._launcher.start(name, decision.start)
        if decision.upcoming is None:
            return LONGEST_WAIT
        if decision.start is None and decision.waiting is None:
            self._quiet[name] = (Cursor(decision.cursor, cursor.schedule), rule, decision.upcoming)
        return decision.upcoming - now

    def _may_start(self, name: str, due: float, now: float) -> bool:
        """Whether to start the run of a due time now: if it was started before and never began, only after a pause."""
        tried, moment = self._tried.get(name, (0.0, 0.0))
        if tried == due and 0 <= now - moment < RETRY_PAUSE:
            return False
        self._tried[name] = (due, now)
        return True

    def _note_missing(self, name: str, missed: Missed, start: float | None, busy: bool) -> None:
        plan = self._plan
        assert plan is not None
        if missed.superseded and start is not None:
            reason = f"the run due {iso(start)} stands for it"
        elif busy:
            reason = "another run of the pipeline was going on for too long"
        else:
            reason = "nobody could start it in time"
        record = RunRecord(
            id=due_run_id(missed.last),
            pipeline=name,
            environment=plan.environment,
            commit=plan.commit,
            state=MISSING,
            started="",
            user=USER,
            trigger=SCHEDULE,
            due=iso(missed.last),
            missed=missed.count,
            reason=reason,
        )
        save_run(self._layout.runs / name / record.id, record)
        prune_missing(self._layout.runs, name)  # a run that hangs for months would leave one for every due time
        self._say(f"{name}: {missed.count} due times up to {record.due} are missing: {reason}")

    def _read_plan(self) -> EnvironmentPlan | None:
        """The plan, read again when the file is another one."""
        path = self._layout.plan
        try:
            status = path.stat()
        except FileNotFoundError:
            self._plan, self._plan_seen = None, None
            return None
        seen = (status.st_ino, status.st_mtime_ns)
        if seen != self._plan_seen:
            try:
                self._plan, self._plan_seen = read_plan(path), seen
            except ValueError as error:
                self._say(f"the plan cannot be read: {error}")
                self._plan, self._plan_seen = None, seen
        return self._plan


class ProcessLauncher:
    """Starts each run as a process in a session of its own."""

    def __init__(self, root: Path) -> None:
        self._layout = EnvironmentLayout(root)
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, pipeline: str, due: float) -> None:
        log = self._layout.logs / "runner.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            self._children[pipeline] = subprocess.Popen(
                [sys.executable, "-I", "-m", "dataops.services.execution", str(self._layout.root), pipeline, str(due)],
                cwd=self._layout.root,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_running(self, pipeline: str) -> bool:
        child = self._children.get(pipeline)
        if child is not None and child.poll() is None:
            return True
        self._children.pop(pipeline, None)
        return holder_of(self._layout.runner, pipeline) is not None


def main() -> None:
    """Runs the schedules of the environment whose root is the argument."""
    root = Path(sys.argv[1])
    clock = SystemClock()

    def say(text: str) -> None:
        os.write(1, f"{iso(clock.now())} {text}\n".encode())

    say(f"looking after the schedules of {root}")
    Scheduler(root, clock, ProcessLauncher(root), say).run_for_ever()


if __name__ == "__main__":
    main()
