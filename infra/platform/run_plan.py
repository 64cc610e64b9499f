"""What an environment's runner is to run and when: plain data in one JSON file below the environment's root.

The stack's program writes it from `dataops.yaml`, so that whatever runs pipelines needs no YAML, no model and no
registry. Paths are absolute, durations are seconds, sizes are bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dataops.infra.platform.quantities import bytes_of, seconds_of

if TYPE_CHECKING:
    from dataops.infra.platform.pipelines import Pipeline, Schedule, Step

STARTING_DEADLINE = 3600.0
"""How late a due run may start when its schedule says nothing about it and does not catch up, in seconds."""

LOG, LEAST_LOG = 16 << 20, 4096
"""Bytes of an attempt's log when the plan is of a version that did not say, and at least."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A process that a run starts.

    Args:
        name, command: what it is and what is started.
        needs: steps that come first, by inputs or by needs.
        outputs: datasets that it writes.
        timeout: seconds for one attempt, None for no limit.
        attempts, delay, backoff: how often it is tried in all, the first pause, what each further one is multiplied by.
        memory, cpu_time, open_files: limits in bytes, seconds and files, None for no limit.
        log: bytes that are kept of what an attempt prints.
        image: the id of the image that its container is made from, "" for that of the environment's code.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    timeout: float | None = None
    attempts: int = 1
    delay: float = 10.0
    backoff: float = 2.0
    memory: int | None = None
    cpu_time: float | None = None
    open_files: int | None = None
    log: int = LOG
    image: str = ""


@dataclass(frozen=True, slots=True)
class ScheduleRule:
    """When a pipeline is due.

    Args:
        cron, timezone: five fields and the zone they are meant in.
        paused: whether it waits to be resumed.
        catchup: whether every missed due time gets a run, rather than the last one for all.
        deadline: seconds after which a run that could not start is missing; None for never.
    """

    cron: str
    timezone: str = "UTC"
    paused: bool = False
    catchup: bool = False
    deadline: float | None = STARTING_DEADLINE


@dataclass(frozen=True, slots=True)
class PipelinePlan:
    """A pipeline: its steps in an order in which each may run, how many at once, and seconds for the whole run."""

    name: str
    steps: tuple[StepPlan, ...]
    parallel: int = 4
    timeout: float | None = None
    schedule: ScheduleRule | None = None


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """All pipelines of an environment and what they run in.

    Args:
        environment, role, commit: which environment at which commit.
        directory: the working directory of every step, the platform's folder in the worktree.
        worktree, repository: the checkout that the directory lies in, and the repository it belongs to.
        venv: the virtual environment.
        variables: the environment's variables, a dotenv file.
        container: where steps run in containers, a `ContainerPlace` as JSON; nothing for processes.
        pipelines: by name.
    """

    environment: str
    role: str
    commit: str
    directory: str
    worktree: str = ""
    repository: str = ""
    venv: str = ""
    variables: str = ""
    container: Mapping[str, str] = field(default_factory=dict)
    pipelines: Mapping[str, PipelinePlan] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The plan as it is written."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> EnvironmentPlan:
        """Reads a plan; what a later version added is left out."""
        pipelines = {name: _pipeline(found) for name, found in document["pipelines"].items()}
        return _known(cls, {**document, "pipelines": pipelines})


def read_plan(path: Path) -> EnvironmentPlan | None:
    """The plan in a file, None when there is none; it is written at once or not at all.

    Raises:
        ValueError: the file holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return EnvironmentPlan.from_json(json.loads(text))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no plan: {error}") from error


def plan_pipeline(name: str, pipeline: Pipeline) -> PipelinePlan:
    """The plan of a pipeline as `dataops.yaml` describes it; commands are as written.

    Raises:
        ValueError: its steps form a cycle.
    """
    from dataops.infra.platform.graph import ordered_steps, predecessors

    before = predecessors(pipeline)
    return PipelinePlan(
        name=name,
        steps=tuple(_plan_step(step, before[step.name]) for step in ordered_steps(pipeline)),
        parallel=pipeline.parallel,
        timeout=_seconds(pipeline.timeout),
        schedule=_plan_schedule(pipeline.schedule) if pipeline.schedule else None,
    )


def _plan_step(step: Step, needs: set[str]) -> StepPlan:
    retries, limits = step.retries, step.limits
    return StepPlan(
        name=step.name,
        command=tuple(step.run),
        needs=tuple(sorted(needs)),
        outputs=tuple(step.outputs),
        timeout=_seconds(step.timeout),
        attempts=retries.attempts if retries else 1,
        delay=seconds_of(retries.delay) if retries else 0.0,
        backoff=retries.backoff if retries else 1.0,
        memory=bytes_of(limits.memory) if limits.memory else None,
        cpu_time=_seconds(limits.cpu_time),
        open_files=limits.open_files,
        log=max(LEAST_LOG, bytes_of(limits.log)),
    )


def _plan_schedule(schedule: Schedule) -> ScheduleRule:
    given = _seconds(schedule.starting_deadline)
    return ScheduleRule(
        cron=schedule.cron,
        timezone=schedule.timezone,
        paused=schedule.paused,
        catchup=schedule.catchup,
        deadline=given if given is not None or schedule.catchup else STARTING_DEADLINE,
    )


def _seconds(text: str | None) -> float | None:
    return None if text is None else seconds_of(text)


def _pipeline(document: Mapping[str, Any]) -> PipelinePlan:
    steps = tuple(
        _known(StepPlan, {**step, **{key: tuple(step.get(key, ())) for key in ("command", "needs", "outputs")}})
        for step in document["steps"]
    )
    schedule = document.get("schedule")
    rule = _known(ScheduleRule, schedule) if schedule else None
    return _known(PipelinePlan, {**document, "steps": steps, "schedule": rule})


_Plan = TypeVar("_Plan", StepPlan, ScheduleRule, PipelinePlan, EnvironmentPlan)


def _known(kind: type[_Plan], document: Mapping[str, Any]) -> _Plan:
    names = {f.name for f in fields(kind)}
    return kind(**{key: value for key, value in document.items() if key in names})
