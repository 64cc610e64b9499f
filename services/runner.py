"""Runs a pipeline: each step a process, in the order that inputs, outputs and needs give."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dataops.infra.errors import ConfigurationError, NotFoundError, ResourceError
from dataops.infra.process.identity import user_name
from dataops.services.runs import (
    CANCELLED,
    FAILED,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    RunRecord,
    StepRecord,
    log_tail,
    new_run_id,
    read_rows,
    runner_identity,
    save_run,
)

if TYPE_CHECKING:
    from dataops.infra.platform.model import Platform

GRACE = 5.0
"""Seconds that a step has to end by itself after an interruption."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A process that a run will start."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything a run will do.

    Args:
        pipeline, environment, commit: what is run where.
        steps: in an order in which each may run.
        directory: the working directory of every step, the platform's folder in the environment's worktree.
        runs: `EnvironmentLayout.runs`.
        variables: the complete environment of the steps. Must not be logged.
    """

    pipeline: str
    environment: str
    commit: str
    steps: tuple[PlannedStep, ...]
    directory: Path
    runs: Path
    variables: Mapping[str, str]


RunSink = Callable[[StepRecord], None]
"""Is told of each step when it starts and when it ends."""


def plan_steps(platform: Platform, pipeline: str, only: str | None = None) -> tuple[PlannedStep, ...]:
    """The steps of a pipeline in order.

    Args:
        platform: as the environment's own commit describes it.
        pipeline: its name.
        only: leaves out all steps but this one.

    Raises:
        NotFoundError: there is no such pipeline or step.
    """
    import difflib

    from dataops.infra.platform.graph import ordered_steps

    def missing(what: str, name: str, known: list[str]) -> NotFoundError:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
        return NotFoundError(f"there is no {what} named {name}", where="dataops.yaml", hint=hint)

    if pipeline not in platform.pipelines:
        raise missing("pipeline", pipeline, list(platform.pipelines))
    steps = ordered_steps(platform.pipelines[pipeline])
    if only is not None and only not in {step.name for step in steps}:
        raise missing(f"step of pipeline {pipeline}", only, [step.name for step in steps])
    return tuple(PlannedStep(s.name, tuple(s.run)) for s in steps if only in (None, s.name))


def run_pipeline(plan: RunPlan, on_step: RunSink) -> RunRecord:
    """Runs the steps one after the other and records what happened.

    Raises:
        ResourceError: a step failed; the details are the last lines of its log, and later steps are skipped.
        KeyboardInterrupt: the user interrupted it; the step's whole process group has been ended.
    """
    started = time.monotonic()
    record = RunRecord(
        id=new_run_id(),
        pipeline=plan.pipeline,
        environment=plan.environment,
        commit=plan.commit,
        state=RUNNING,
        started=_now(),
        user=user_name(),
        steps=tuple(StepRecord(step.name, list(step.command)) for step in plan.steps),
        runner=runner_identity(),
    )
    folder = plan.runs / plan.pipeline / record.id
    folder.mkdir(parents=True)

    def note(index: int, step: StepRecord, **changes: str | float) -> None:
        nonlocal record
        steps = (*record.steps[:index], step, *record.steps[index + 1 :])
        record = replace(record, steps=steps, **changes)  # type: ignore[arg-type]
        save_run(folder, record)

    def finish(state: str) -> RunRecord:
        nonlocal record
        left = tuple(replace(s, state=SKIPPED) if s.state == "waiting" else s for s in record.steps)
        record = replace(record, state=state, steps=left, ended=_now(), seconds=round(time.monotonic() - started, 3))
        save_run(folder, record)
        return record

    for index, step in enumerate(plan.steps):
        begun = replace(record.steps[index], state=RUNNING, started=_now(), log=str(folder / f"{step.name}.log"))
        note(index, begun)
        on_step(begun)
        try:
            ended = _run_step(step, begun, plan, folder)
        except BaseException:
            note(index, replace(begun, state=CANCELLED, ended=_now()))
            finish(CANCELLED)
            raise
        note(index, ended)
        on_step(ended)
        if ended.state == FAILED:
            finish(FAILED)
            raise _failure(plan, ended)
    return finish(SUCCEEDED)


def _run_step(step: PlannedStep, record: StepRecord, plan: RunPlan, folder: Path) -> StepRecord:
    report = folder / f"{step.name}.report.json"
    started = time.monotonic()
    with open(record.log, "wb") as log:
        try:
            process = subprocess.Popen(
                step.command,
                cwd=plan.directory,
                env={**plan.variables, "DATAOPS_STEP_REPORT": str(report), "DATAOPS_RUN_ID": folder.name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigurationError(
                f"step {step.name} cannot be started: {error.strerror}: {step.command[0]}",
                where=f"pipeline {plan.pipeline}",
                hint="`run` in dataops.yaml is a command and its arguments; programs of the requirements go by name",
            ) from None
        with _ending_group(process):
            status = process.wait()
    return replace(
        record,
        state=SUCCEEDED if status == 0 else FAILED,
        exit=status,
        ended=_now(),
        seconds=round(time.monotonic() - started, 3),
        rows=read_rows(report),
    )


@contextmanager
def _ending_group(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever ends the block, nothing of the step's process group outlives it."""
    try:
        yield
    except BaseException:
        _signal(process.pid, signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            pass
        raise
    finally:
        _signal(process.pid, signal.SIGKILL)
        process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def _failure(plan: RunPlan, step: StepRecord) -> ResourceError:
    exit_ = step.exit or 0
    how = f"was ended by {signal.Signals(-exit_).name}" if exit_ < 0 else f"exited with {exit_}"
    return ResourceError(
        f"step {step.name} {how} after {step.seconds:.1f} s",
        where=f"pipeline {plan.pipeline} in {plan.environment}",
        hint=f"the whole log is {step.log}; when it is mended, "
        f"`dataops pipeline run {plan.pipeline} --env {plan.environment} --step {step.name}` runs this step alone",
        details=log_tail(Path(step.log)) or "(the step printed nothing)",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
