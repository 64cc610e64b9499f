"""The pipelines of an environment: running them, pausing and resuming their schedules, and how they stand."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import dataclass
from pathlib import Path

from dataops.envs.registry import EnvironmentRecord, State
from dataops.envs.status import require_running
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

NEWEST = 1000
"""The newest records among which the last run is looked for; as many as are kept of a pipeline."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a pipeline is run: a step alone, one and all after it, or everything; without some; and whether anew."""

    only: str | None = None
    since: str | None = None
    full_refresh: bool = False
    without: frozenset[str] = frozenset()


def run_in(record: EnvironmentRecord, pipeline: str, selection: Selection, on_step: RunSink) -> RunRecord:
    """Runs a pipeline in an environment because somebody asked for it.

    Args:
        record: the environment.
        pipeline: its name, as the environment's own commit declares it.
        selection: what of it.
        on_step: is told of each step when it starts and when it ends.

    Raises:
        ConfigurationError: the environment is not ready, or nothing of it runs.
        NotFoundError: there is no such pipeline or step.
        LockedError: a run of the pipeline is going on.
        ProgramError: a step failed; the details are the last lines of its log, without secrets.
        DeadlineError: the run took too long.
    """
    if record.state not in (State.READY, State.UPDATING):
        raise ConfigurationError(
            f"environment {record.name} is {record.state.value}, not ready", hint=f"make it ready: {again(record)}"
        )
    require_running(record)
    root, plan = Path(record.root), plan_of(record)
    request = RunRequest(
        plan=plan,
        root=root,
        pipeline=pipeline,
        variables=step_variables(plan, root),
        only=selection.only,
        since=selection.since,
        without=selection.without,
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
    """The newest runs of the environment, of all pipelines or of one; due times that passed without a run as well.

    Raises:
        NotFoundError: the environment has no such pipeline, and never ran one of that name.
    """
    found = load_runs(EnvironmentLayout(Path(record.root)).runs, pipeline, limit)
    if pipeline is not None and not found:
        pipeline_of(plan_of(record), pipeline)
    return found


def run_of(record: EnvironmentRecord, pipeline: str | None, run: str) -> RunRecord:
    """One run, of a pipeline or of any, by its id or a beginning that no other has; `last` is the newest.

    Raises:
        NotFoundError: there is none, or no such pipeline.
    """
    runs = EnvironmentLayout(Path(record.root)).runs
    if run == "last":
        newest = (r for limit in (20, NEWEST) for r in load_runs(runs, pipeline, limit) if r.started)
        matching = list(itertools.islice(newest, 1))
    else:
        matching = load_runs(runs, pipeline, beginning=run)
    if len(matching) == 1:
        return matching[0]
    if pipeline is not None:
        runs_of(record, pipeline, 1)
    where = f"{f'pipeline {pipeline} in ' if pipeline else ''}environment {record.name}"
    listed = f"`dataops pipeline runs {f'{pipeline} ' if pipeline else ''}--env {record.name}` lists them"
    if matching:
        raise NotFoundError(f"{len(matching)} runs begin with {run}", where=where, hint=f"type more of it: {listed}")
    nothing = "nothing has run yet" if run == "last" else f"there is no run {run}"
    raise NotFoundError(nothing, where=where, hint=listed)


def set_paused(record: EnvironmentRecord, pipeline: str, paused: bool, reason: str = "") -> bool:
    """Pauses or resumes the schedule of a pipeline, until somebody says otherwise; another reason is noted as well.

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
    reason = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", reason).split())
    said = ledger.pause(pipeline)
    if ledger.is_paused(pipeline, found.schedule) == paused and reason in ("", said.reason if said else ""):
        return False
    ledger.set_pause(pipeline, Pause(paused, time.time(), user_name(), reason))
    return True
