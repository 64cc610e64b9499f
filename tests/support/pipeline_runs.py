"""Environments that consist of a folder and a plan, for tests of whatever runs pipelines."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.platform.run_plan import EnvironmentPlan, PipelinePlan, ScheduleRule, StepPlan
from dataops.infra.process.dotenv import format_variables
from dataops.services.request import RunRequest, step_variables


def step(name: str, code: str = "", *needs: str, **settings: Any) -> StepPlan:
    """A step that runs Python code, after others."""
    return StepPlan(name, (sys.executable, "-c", textwrap.dedent(code)), needs, **settings)


def environment(root: Path, *steps: StepPlan, schedule: ScheduleRule | None = None, **settings: Any) -> EnvironmentPlan:
    """An environment below `root` with one pipeline, `sales`, whose steps work in `<root>/code/abc`."""
    layout = EnvironmentLayout(root)
    code = root / "code" / "abc"
    code.mkdir(parents=True, exist_ok=True)
    layout.variables.write_text(format_variables({"GREETING": "ada", "DATAOPS_ENVIRONMENT": "feature-x"}))
    plan = EnvironmentPlan(
        environment="feature-x",
        role="replica",
        commit="c" * 40,
        directory=str(code),
        worktree=str(code),
        variables=str(layout.variables),
        pipelines={"sales": PipelinePlan("sales", steps, schedule=schedule, **settings)},
    )
    write_plan(root, plan)
    return plan


def write_plan(root: Path, plan: EnvironmentPlan) -> None:
    """Puts a plan where the runner looks for it, as an update does."""
    path = EnvironmentLayout(root).plan
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(plan.to_json()))
    fresh.replace(path)


def request(root: Path, plan: EnvironmentPlan, **settings: Any) -> RunRequest:
    """A run of `sales` that somebody asked for."""
    asked = RunRequest(plan, root, "sales", step_variables(plan, root))
    return replace(asked, **settings)


def runs_process(pid: int) -> bool:
    """Whether there is such a process; one that only waits to be collected does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
