"""Runs a pipeline: steps side by side where their order allows, each with its limits, tried again where that is wanted.

Everything happens in one thread that waits for the steps; each attempt is watched over by a process of its own
(`step_shim.py`), which ends the step when this one is gone.
"""

from __future__ import annotations

import selectors
import time
from contextlib import suppress
from pathlib import Path

from dataops.infra.errors import ConfigurationError, DataopsError
from dataops.infra.platform.run_plan import StepPlan
from dataops.infra.process.identity import user_name
from dataops.services.attempt import GRACE, Attempt, Ending
from dataops.services.contained import in_container, remove_lost
from dataops.services.exclusion import exclusive_run
from dataops.services.journal import RunJournal, RunSink, utc_now
from dataops.services.outcome import failure_of, reason_of, time_is_over
from dataops.services.reports import REPORT, lake_sizes, take_report
from dataops.services.request import RunRequest, pipeline_of, selected_steps
from dataops.services.runs import (
    CANCELLED,
    FAILED,
    RUNNING,
    SUCCEEDED,
    WAITING,
    RunRecord,
    StepRecord,
    claim_run,
    due_run_id,
    iso,
    new_run_id,
    prune_runs,
    runner_identity,
)
from dataops.services.usage import using

LONGEST_PAUSE = 3600.0


def run_pipeline(request: RunRequest, on_step: RunSink, grace: float = GRACE) -> RunRecord | None:
    """Runs a pipeline's steps and records what happened.

    A failed step is tried again as it says; then the steps after it are skipped, and the others still run.

    Args:
        request: what to run.
        on_step: is told of every step.
        grace: seconds that a step has to end by itself after SIGTERM.

    Returns:
        The record; None when the run of this due time has been started before.

    Raises:
        NotFoundError: there is no such pipeline or step.
        LockedError: a run of the pipeline is going on.
        ConfigurationError: a step's command cannot be started.
        ProgramError: a step failed; the details are the last lines of its log, without secrets.
        DeadlineError: the run took too long.
        ResourceError: the record cannot be written.
        KeyboardInterrupt: the user interrupted it; all steps have been ended.
    """
    pipeline = pipeline_of(request.plan, request.pipeline)
    chosen = selected_steps(pipeline, request.only, request.since)
    steps = tuple(step for step in chosen if step.name not in request.without)
    runs = request.layout.runs
    record = _first_record(request, steps)
    holder = {
        "run": record.id,
        "user": record.user,
        "since": record.started,
        "pid": record.runner["pid"],
        "start": record.runner["start"],
        "trigger": record.trigger,
    }
    with (
        exclusive_run(request.layout.runner, pipeline.name, holder) as lock,
        using(request.root, [Path(p) for p in (request.plan.worktree, request.plan.venv) if p]) as used,
    ):
        prune_runs(runs, pipeline.name, time.time())
        folder = claim_run(runs, record)
        if folder is None:
            return None
        journal = RunJournal(folder, record, steps, on_step)
        running = _Run(request, steps, journal, (lock, *used), grace)
        return running.to_the_end(pipeline.parallel, pipeline.timeout)


class _Run:
    """A run that is going on."""

    def __init__(
        self,
        request: RunRequest,
        steps: tuple[StepPlan, ...],
        journal: RunJournal,
        held: tuple[int, ...],
        grace: float,
    ) -> None:
        self.request, self.steps, self.journal, self.held, self.grace = request, steps, journal, held, grace
        self.selector = selectors.DefaultSelector()
        self.attempts: dict[str, Attempt] = {}
        self.again: dict[str, float] = {}
        self.failure: DataopsError | None = None
        self.over = False

    def to_the_end(self, parallel: int, timeout: float | None) -> RunRecord:
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while True:
                self._start_what_may(parallel)
                if not self.attempts and not self.again:
                    break
                self._wait(deadline)
                if deadline is not None and time.monotonic() >= deadline and not self.over:
                    self._time_is_over(float(timeout or 0))
                    deadline = None
        except BaseException:
            self._end_all()
            with suppress(DataopsError):  # what ended it is told, not that the disk is full as well
                self._cancel()
            raise
        finally:
            self.selector.close()
        if self.failure is not None:
            self.journal.run_ends(FAILED, self.failure.what)
            raise self.failure
        return self.journal.run_ends(SUCCEEDED)

    def _start_what_may(self, parallel: int) -> None:
        states = {step.name: step.state for step in self.journal.record.steps}
        now = time.monotonic()
        for step in self.steps:
            if len(self.attempts) >= parallel or self.over:
                return
            retried = self.again.get(step.name, now + 1) <= now
            ready = states[step.name] == WAITING and all(states.get(n, SUCCEEDED) == SUCCEEDED for n in step.needs)
            if retried or ready:
                self.again.pop(step.name, None)
                self._start(step)

    def _start(self, step: StepPlan) -> None:
        log = self.journal.attempt_begins(step.name)
        request = self.request
        variables = {
            **request.variables,
            "DATAOPS_RUN_ID": self.journal.record.id,
            "DATAOPS_ATTEMPT": str(len(self.journal.step(step.name).attempts)),
            REPORT: str(self.journal.report_path(step.name)),
            **({"DATAOPS_FULL_REFRESH": "1"} if request.full_refresh else {}),
            **({"DATAOPS_DUE": iso(request.due)} if request.due is not None else {}),
        }
        directory = Path(request.plan.directory)
        if not directory.is_dir():
            raise ConfigurationError("the environment's code is not there", where=str(directory))
        started = in_container(request.plan, step, self.journal.record.id) if request.plan.container else step
        attempt = Attempt(started, directory, variables, log, held=self.held, grace=self.grace)
        self.attempts[step.name] = attempt
        self.selector.register(attempt, selectors.EVENT_READ, step.name)

    def _wait(self, deadline: float | None) -> None:
        """Waits until something happens: an attempt tells something, or it is time for another or for none."""
        moments = [*self.again.values(), *([deadline] if deadline is not None else [])]
        left = max(0.0, min(moments) - time.monotonic()) if moments else None
        for key, _ in self.selector.select(left):
            name: str = key.data
            # it is taken out first: its end closes the file that the selector watches
            attempt = self.attempts[name]
            self.selector.unregister(attempt)
            ending = attempt.ending()
            if ending is None:
                self.selector.register(attempt, selectors.EVENT_READ, name)
                continue
            del self.attempts[name]
            self._ended(next(step for step in self.steps if step.name == name), ending)

    def _ended(self, step: StepPlan, ending: Ending) -> None:
        killed = ending.why == "lost" or (ending.exit or 0) < 0
        if killed and self.request.plan.container:
            remove_lost(self.request.plan, step, self.journal.record.id)
        reason = reason_of(step, ending)
        number = len(self.journal.step(step.name).attempts)
        self.journal.attempt_ends(step.name, ending.exit, reason)
        report = take_report(self.journal.report_path(step.name))
        if not reason:
            sizes = lake_sizes(step.outputs, self.request.layout.lake) if not report.bytes else {}
            results = {"rows": report.rows, "bytes": report.bytes or sizes, "reason": report.problem}
            self.journal.step_ends(step.name, SUCCEEDED, **results)
            return
        if number < step.attempts and ending.why != "unstartable" and not self.over:
            pause = min(step.delay * step.backoff ** (number - 1), LONGEST_PAUSE)
            self.again[step.name] = time.monotonic() + pause
            return
        ended = self.journal.step_ends(step.name, FAILED, rows=report.rows, bytes=report.bytes, reason=reason)
        self.failure = self.failure or failure_of(self.request, step, ended, ending)
        self._skip_after(step.name)

    def _skip_after(self, failed: str) -> None:
        gone = {failed}
        for step in self.steps:
            if gone & set(step.needs) and self.journal.step(step.name).state == WAITING:
                gone.add(step.name)
                self.journal.step_is_skipped(step.name, f"{failed} failed")

    def _time_is_over(self, seconds: float) -> None:
        """Ends the steps that run; none is started any more."""
        self.over = True
        for name in self.again:
            self.journal.step_ends(name, FAILED, reason=self.journal.step(name).attempts[-1].reason)
        self.again.clear()
        self.failure = self.failure or time_is_over(self.request, seconds)
        for attempt in self.attempts.values():
            attempt.stop()

    def _end_all(self) -> None:
        """Ends every step, politely first; whatever happens, nothing is left when it returns."""
        try:
            for attempt in self.attempts.values():
                attempt.stop()
            deadline = time.monotonic() + self.grace + 5
            for attempt in self.attempts.values():
                self._outwait(attempt, deadline)
        except KeyboardInterrupt:
            for attempt in self.attempts.values():
                with suppress(OSError, ValueError):
                    attempt.kill()
            raise

    def _outwait(self, attempt: Attempt, deadline: float) -> None:
        with selectors.DefaultSelector() as one, suppress(OSError, ValueError):
            one.register(attempt, selectors.EVENT_READ)
            while one.select(max(0.0, deadline - time.monotonic())):
                if attempt.ending() is not None:
                    return
            attempt.kill()

    def _cancel(self) -> None:
        for step in self.journal.record.steps:
            if step.state == RUNNING:
                if not step.attempts[-1].ended:
                    self.journal.attempt_ends(step.name, None, "cancelled")
                self.journal.step_ends(step.name, CANCELLED)
        self.journal.run_ends(CANCELLED)


def _first_record(request: RunRequest, steps: tuple[StepPlan, ...]) -> RunRecord:
    return RunRecord(
        id=new_run_id() if request.due is None else due_run_id(request.due),
        pipeline=request.pipeline,
        environment=request.plan.environment,
        commit=request.plan.commit,
        state=RUNNING,
        started=utc_now(),
        user=request.user or user_name(),
        steps=tuple(StepRecord(step.name, list(step.command)) for step in steps),
        runner=runner_identity(),
        trigger=request.trigger,
        due="" if request.due is None else iso(request.due),
        full_refresh=request.full_refresh,
    )
