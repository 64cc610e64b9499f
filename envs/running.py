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
    from dataops.services.schedules import running_pipelines

    for run in running_pipelines(Path(record.root)):
        raise PolicyError(
            f"pipeline {run['pipeline']} runs in it: run {run.get('run', '?')}, started {run.get('since', '?')} by "
            f"{run.get('user', '?')}",
            where=f"environment {record.name}",
            hint="wait for it to end, or interrupt it; `env reset --force` takes its data away",
        )
