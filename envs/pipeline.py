"""Running the pipelines of an environment: with its own code, its variables and its virtual environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dataops.envs.registry import EnvironmentRecord, Registry, State
from dataops.envs.variables import again, command_variables, working_directory
from dataops.infra.errors import ConfigurationError
from dataops.infra.process.environment import child_environment
from dataops.services.runner import PlannedStep, RunPlan, RunSink, plan_steps, run_pipeline
from dataops.services.runs import RunRecord

if TYPE_CHECKING:
    from dataops.infra.platform.model import Platform


def run_in(
    record: EnvironmentRecord, registry: Registry, pipeline: str, only: str | None, on_step: RunSink
) -> RunRecord:
    """Runs a pipeline in an environment.

    Args:
        record: the environment.
        registry: where its record is.
        pipeline: its name, as the environment's own commit declares it.
        only: runs this step alone.
        on_step: is told of each step when it starts and when it ends.

    Raises:
        ConfigurationError: the environment is not ready.
        NotFoundError: there is no such pipeline or step.
        ResourceError: a step failed; the details are the last lines of its log.
    """
    if record.state not in (State.READY, State.UPDATING):
        raise ConfigurationError(
            f"environment {record.name} is {record.state.value}, not ready", hint=f"finish it with `{again(record)}`"
        )
    steps = plan_steps(platform_of(record), pipeline, only)
    variables = command_variables(record, child_environment())
    # Compiled modules would otherwise be files in the worktree that belong to no commit.
    variables["PYTHONPYCACHEPREFIX"] = str(Path(record.root) / "pycache")
    variables["PYTHONUNBUFFERED"] = "1"
    plan = RunPlan(
        pipeline=pipeline,
        environment=record.name,
        commit=record.commit,
        steps=steps,
        directory=working_directory(record),
        runs=Path(record.root) / "logs" / "runs",
        variables=variables,
    )
    return run_pipeline(plan, on_step)


def platform_of(record: EnvironmentRecord) -> Platform:
    """`dataops.yaml` as the environment's own commit has it."""
    from dataops.infra.platform.loader import load_platform

    return load_platform(working_directory(record) / "dataops.yaml")


def pipelines_of(record: EnvironmentRecord) -> dict[str, tuple[PlannedStep, ...]]:
    """The environment's pipelines and their steps in order."""
    platform = platform_of(record)
    return {name: plan_steps(platform, name) for name in platform.pipelines}
