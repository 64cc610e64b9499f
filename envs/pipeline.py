"""The pipelines of an environment: running them, pausing and resuming their schedules, and how they stand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from dataops.envs.registry import EnvironmentRecord, State
from dataops.envs.variables import again
from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.platform.run_plan import EnvironmentPlan
from dataops.infra.process.identity import user_name
from dataops.services.journal import RunSink
from dataops.services.ledger import Ledger, Pause
from dataops.services.request import RunRequest, environment_plan, pipeline_of, step_variables
from dataops.services.runner import run_pipeline
from dataops.services.runs import RunRecord, load_runs
from dataops.services.schedules import PipelineState, pipeline_states


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a pipeline is run: a step alone, a step and all after it, or everything; and whether from scratch."""

    only: str | None = None
    since: str | None = None
    full_refresh: bool = False


def run_in(record: EnvironmentRecord, pipeline: str, selection: Selection, on_step: RunSink) -> RunRecord:
    """Runs a pipeline in an environment because somebody asked for it.

    Args:
        record: the environment.
        pipeline: its name, as the environment's own commit declares it.
        selection: what of it.
        on_step: is told of each step when it starts and when it ends.

    Raises:
        ConfigurationError: the environment is not ready.
        NotFoundError: there is no such pipeline or step.
        LockedError: a run of the pipeline is going on.
        ResourceError: a step failed; the details are the last lines of its log.
    """
    if record.state not in (State.READY, State.UPDATING):
        raise ConfigurationError(
            f"environment {record.name} is {record.state.value}, not ready", hint=f"finish it with `{again(record)}`"
        )
    root, plan = Path(record.root), plan_of(record)
    request = RunRequest(
        plan=plan,
        root=root,
        pipeline=pipeline,
        variables=step_variables(plan, root),
        only=selection.only,
        since=selection.since,
        full_refresh=selection.full_refresh,
        user=user_name(),
    )
    done = run_pipeline(request, on_step)
    assert done is not None, "only a due time can have been started before"
    return done


def plan_of(record: EnvironmentRecord) -> EnvironmentPlan:
    """What the environment's runner goes by.

    Raises:
        NotFoundError: it has none (yet); the hint says how to complete it.
    """
    try:
        return environment_plan(Path(record.root))
    except NotFoundError as error:
        error.hint = f"bring it up to date with `{again(record)}`"
        raise


def states_of(record: EnvironmentRecord) -> list[PipelineState]:
    """How the environment's pipelines stand."""
    return pipeline_states(Path(record.root), time.time())


def runs_of(record: EnvironmentRecord, pipeline: str | None, limit: int | None = None) -> list[RunRecord]:
    """The newest runs of the environment, of all pipelines or of one; due times that passed without a run as well."""
    return load_runs(EnvironmentLayout(Path(record.root)).runs, pipeline, limit)


def run_of(record: EnvironmentRecord, pipeline: str, run: str) -> RunRecord:
    """One run, by its id or a beginning that no other has; `last` is the newest.

    Raises:
        NotFoundError: there is none.
    """
    found = runs_of(record, pipeline)
    matching = [r for r in found if r.id.startswith(run)] if run != "last" else [r for r in found if r.started][:1]
    if len(matching) != 1:
        what = f"{len(matching)} runs begin with {run}" if matching else f"there is no run {run}"
        raise NotFoundError(
            what,
            where=f"pipeline {pipeline} in {record.name}",
            hint=f"`dataops pipeline runs {pipeline} --env {record.name}` lists them",
        )
    return matching[0]


def set_paused(record: EnvironmentRecord, pipeline: str, paused: bool, reason: str = "") -> bool:
    """Pauses or resumes the schedule of a pipeline, until somebody says otherwise.

    Returns:
        Whether that is a change.

    Raises:
        NotFoundError: there is no such pipeline.
        ConfigurationError: it has no schedule.
    """
    found = pipeline_of(plan_of(record), pipeline)
    if found.schedule is None:
        raise ConfigurationError(
            f"pipeline {pipeline} has no schedule: it runs only when somebody asks",
            where=f"environment {record.name}",
            hint=f"give it one: `pipelines.{pipeline}.schedule` in dataops.yaml",
        )
    ledger = Ledger(EnvironmentLayout(Path(record.root)).runner)
    if ledger.is_paused(pipeline, found.schedule) == paused:
        return False
    ledger.set_pause(pipeline, Pause(paused, time.time(), user_name(), reason))
    return True
