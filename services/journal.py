"""The record of a run while it goes on: every change of a step is on disk before anybody hears of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataops.infra.platform.run_plan import StepPlan
from dataops.services.runs import (
    RUNNING,
    SKIPPED,
    WAITING,
    AttemptRecord,
    RunRecord,
    StepRecord,
    save_run,
)

RunSink = Callable[[StepRecord], None]
"""Is told of each step when it starts, when it is tried again and when it ends."""


class RunJournal:
    """The record of one run, and the times that go into it."""

    def __init__(self, folder: Path, record: RunRecord, steps: tuple[StepPlan, ...], sink: RunSink) -> None:
        self.folder = folder
        self.record = record
        self._sink = sink
        self._plans: Mapping[str, StepPlan] = {step.name: step for step in steps}
        self._began = time.monotonic()
        self._steps_began: dict[str, float] = {}
        self._attempts_began: dict[str, float] = {}

    def step(self, name: str) -> StepRecord:
        """A step as it is recorded now."""
        return next(step for step in self.record.steps if step.name == name)

    def attempt_begins(self, name: str) -> Path:
        """Notes that a step is tried, for the first time or again; returns where it is to print to."""
        step, now = self.step(name), time.monotonic()
        number = len(step.attempts) + 1
        log = self.folder / (f"{name}.log" if number == 1 else f"{name}.{number}.log")
        self._steps_began.setdefault(name, now)
        self._attempts_began[name] = now
        attempts = (*step.attempts, AttemptRecord(number, utc_now(), log=str(log)))
        self._put(
            replace(step, state=RUNNING, started=step.started or utc_now(), log=str(log), attempts=attempts), told=True
        )
        return log

    def report_path(self, name: str) -> Path:
        """Where the present attempt of a step reports."""
        number = len(self.step(name).attempts)
        return self.folder / f"{name}.{number}.report.json"

    def attempt_ends(self, name: str, exit_status: int | None, reason: str = "") -> AttemptRecord:
        """Notes how the present attempt of a step ended; the step itself goes on until `step_ends`."""
        step = self.step(name)
        last = replace(
            step.attempts[-1],
            ended=utc_now(),
            seconds=round(time.monotonic() - self._attempts_began[name], 3),
            exit=exit_status,
            reason=reason,
        )
        self._put(replace(step, attempts=(*step.attempts[:-1], last)))
        return last

    def step_ends(self, name: str, state: str, **results: Any) -> StepRecord:
        """Notes the end of a step: its state and the fields that come of it."""
        step, last = self.step(name), self.step(name).attempts[-1]
        ended = replace(
            step,
            state=state,
            ended=utc_now(),
            exit=last.exit,
            seconds=round(time.monotonic() - self._steps_began[name], 3),
            **results,
        )
        return self._put(ended, told=True)

    def step_is_skipped(self, name: str, reason: str) -> None:
        """Notes that a step will not run."""
        self._put(replace(self.step(name), state=SKIPPED, reason=reason), told=True)

    def run_ends(self, state: str, reason: str = "") -> RunRecord:
        """Notes the end of the run; steps that still wait are skipped."""
        steps = tuple(replace(s, state=SKIPPED) if s.state == WAITING else s for s in self.record.steps)
        seconds = round(time.monotonic() - self._began, 3)
        self.record = replace(self.record, state=state, steps=steps, ended=utc_now(), seconds=seconds, reason=reason)
        save_run(self.folder, self.record, new=False)
        return self.record

    def _put(self, step: StepRecord, told: bool = False) -> StepRecord:
        steps = tuple(step if s.name == step.name else s for s in self.record.steps)
        self.record = replace(self.record, steps=steps)
        save_run(self.folder, self.record, new=False)
        if told:
            self._sink(step)
        return step


def utc_now() -> str:
    """The present, as records have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
