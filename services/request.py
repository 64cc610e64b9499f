"""What is asked of a run: which steps of which pipeline, where, and why."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.platform.run_plan import EnvironmentPlan, PipelinePlan, StepPlan, read_plan
from dataops.infra.process import dotenv
from dataops.infra.process.environment import ROOT, child_environment
from dataops.services.runs import MANUAL


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Everything a run needs to know; fixed when it starts, whatever becomes of the environment meanwhile.

    Args:
        plan: the environment's plan.
        root: the environment's folder, `EnvironmentLayout.root`.
        pipeline: which of its pipelines.
        variables: the complete environment of the steps. Must not be logged.
        only: runs this step alone.
        since: runs this step and all that come after it.
        without: leaves these steps out.
        full_refresh: tells steps to build everything anew.
        trigger: `manual` or `schedule`; due: the due time it is for, in seconds since 1970.
        user: who asked for it.
    """

    plan: EnvironmentPlan
    root: Path
    pipeline: str
    variables: Mapping[str, str] = field(repr=False)
    only: str | None = None
    since: str | None = None
    without: frozenset[str] = frozenset()
    full_refresh: bool = False
    trigger: str = MANUAL
    due: float | None = None
    user: str = ""

    @property
    def layout(self) -> EnvironmentLayout:
        """Where the environment's files lie."""
        return EnvironmentLayout(self.root)


def environment_plan(root: Path) -> EnvironmentPlan:
    """The plan of the environment at `root`.

    Raises:
        NotFoundError: it has none (yet).
        ConfigurationError: its plan cannot be read.
    """
    path = EnvironmentLayout(root).plan
    try:
        plan = read_plan(path)
    except ValueError as error:
        raise ConfigurationError(str(error), where=str(path), hint="bring the environment up to date again") from None
    if plan is None:
        raise NotFoundError("the environment has no plan of its pipelines yet", where=str(path))
    return plan


def pipeline_of(plan: EnvironmentPlan, name: str) -> PipelinePlan:
    """A pipeline by its name.

    Raises:
        NotFoundError: there is none; the hint names the nearest.
    """
    if name not in plan.pipelines:
        where = f"environment {plan.environment}, commit {plan.commit[:12]}"
        raise _missing("pipeline", name, list(plan.pipelines), where)
    return plan.pipelines[name]


def selected_steps(pipeline: PipelinePlan, only: str | None = None, since: str | None = None) -> tuple[StepPlan, ...]:
    """The steps that a run executes, in an order in which each may run.

    Args:
        only: this step alone.
        since: this step and all that come after it, directly or not.

    Raises:
        NotFoundError: there is no such step.
        ConfigurationError: both are given.
    """
    if only is not None and since is not None:
        raise ConfigurationError("--step and --from exclude each other", hint="give one of them")
    wanted = only if only is not None else since
    if wanted is None:
        return pipeline.steps
    names = [step.name for step in pipeline.steps]
    if wanted not in names:
        raise _missing("step", wanted, names, f"pipeline {pipeline.name}")
    chosen = {wanted}
    if since is not None:
        for step in pipeline.steps:  # each comes after all that it needs
            if chosen & set(step.needs):
                chosen.add(step.name)
    return tuple(step for step in pipeline.steps if step.name in chosen)


def step_variables(plan: EnvironmentPlan, root: Path) -> dict[str, str]:
    """The complete environment of every step: what any process needs, and the environment's own. Must not be logged.

    Raises:
        NotFoundError: the environment's variables are not there.
        VerificationError: they are damaged.
    """
    path = Path(plan.variables)
    try:
        own = dotenv.variables_of(path, plan.environment)
    except FileNotFoundError:
        raise NotFoundError("the environment has no variables yet", where=str(path)) from None
    variables = {**child_environment(), **own}
    if plan.venv:
        variables["VIRTUAL_ENV"] = plan.venv
        variables["PATH"] = os.pathsep.join([str(Path(plan.venv) / "bin"), variables.get("PATH", os.defpath)])
    # Compiled modules would otherwise be files in the worktree that belong to no commit.
    variables["PYTHONPYCACHEPREFIX"] = str(root / "pycache")
    variables["PYTHONUNBUFFERED"] = "1"
    variables[ROOT] = str(root)
    return variables


def _missing(what: str, name: str, known: list[str], where: str) -> NotFoundError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
    return NotFoundError(f"there is no {what} named {name}", where=where, hint=hint)
