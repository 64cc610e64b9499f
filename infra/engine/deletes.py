"""Deletes what the program no longer asks for: in waves, in reverse dependency order."""

from __future__ import annotations

from dataops.infra.engine.deployment import Deployment
from dataops.infra.engine.executor import Executor
from dataops.infra.engine.step_generator import StepGenerator


def delete_leftovers(deployment: Deployment, generator: StepGenerator, executor: Executor) -> None:
    """Plans and performs all deletions; what a resource needs stays when that resource could not be deleted."""
    steps = {id(step.resource): step for step in generator.delete_steps()}
    needed: set[int] = set()
    told = 0
    for wave in deployment.graph.waves_of_deletion(step.resource for step in steps.values()):
        for state in executor.errored[told:]:
            told += 1
            if state in deployment.graph:
                needed |= {id(kept) for kept in deployment.graph.transitive_dependencies_of(state)}
        if deployment.cancelled.is_set():
            return
        executor.run_at_once([steps[id(state)] for state in wave if id(state) not in needed])
