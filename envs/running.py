"""Whether a pipeline runs in an environment: what would take its data or code away has to wait for it."""

from __future__ import annotations

from pathlib import Path

from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import PolicyError


def refuse_running(record: EnvironmentRecord) -> None:
    """Refuses to take data or code away from under a pipeline.

    Raises:
        PolicyError: one runs; the error names it.
    """
    from dataops.services.runs import RUNNING, load_runs

    for run in load_runs(Path(record.root) / "logs" / "runs"):
        if run.state == RUNNING:
            raise PolicyError(
                f"pipeline {run.pipeline} runs in it: run {run.id}, started {run.started} by {run.user}",
                where=f"environment {record.name}",
                hint="wait for it to end, or interrupt it; `env reset --force` takes its data away",
            )
