"""Steps in containers: the process of a step stands for its container, so that everything else is as with processes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from dataops.infra.errors import DataopsError
from dataops.infra.platform.run_plan import EnvironmentPlan, StepPlan
from dataops.infra.process.containers import ContainerPlace, code_program, container_name, shim_command
from dataops.infra.process.docker_engine import DockerEngine, Owned
from dataops.services.reports import REPORT


def in_container(plan: EnvironmentPlan, step: StepPlan, run: str) -> StepPlan:
    """The step as a process that stands for a container, which gets the step's limits.

    Args:
        plan: the environment's, with the place of its containers.
        step: the step as it was declared.
        run: the id of the run, by which containers of different runs have different names.
    """
    place = ContainerPlace.of(plan.container)
    place = replace(place, image=step.image or place.image)
    program = code_program(
        place,
        _name(step, run),
        step.command,
        report=REPORT,
        memory=step.memory,
        processor_seconds=None if step.cpu_time is None else max(1, round(step.cpu_time)),
        open_files=step.open_files,
        stop_seconds=2,
    )
    return replace(step, command=shim_command(place, program), memory=None, cpu_time=None, open_files=None)


def remove_lost(plan: EnvironmentPlan, step: StepPlan, run: str) -> None:
    """Removes the container of a step whose process was killed before it could; an engine that is gone has none."""
    place = ContainerPlace.of(plan.container)
    with suppress(DataopsError):
        DockerEngine(place.socket).remove(Owned("container", container_name(place, _name(step, run)), place.root))


def _name(step: StepPlan, run: str) -> str:
    return f"step-{step.name}-{run}"
