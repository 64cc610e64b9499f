"""Deletes what the program no longer asks for: in waves, in reverse dependency order."""

from __future__ import annotations

from dataops.infra.engine.deployment import Bail, Deployment
from dataops.infra.engine.executor import Executor
from dataops.infra.engine.provider_resources import ProviderResources
from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.step import Step, delete_step
from dataops.infra.engine.step_generator import StepGenerator
from dataops.infra.resources.state import ResourceState


def plan_deletes(
    deployment: Deployment, generator: StepGenerator, providers: ProviderResources, report: Reporter
) -> list[Step]:
    """What is left over once the program has ended: replaced resources and those it no longer asks for.

    Raises:
        Bail: something that is no target depends on a target; it was reported.
    """
    for urn in deployment.options.targets.missing(deployment.olds.keys() | generator.urns):
        report.error(f"the target '{urn}' is not in the stack; mind that a shell replaces $ unless it is quoted")
        deployment.fail(stop=True)
    if deployment.cancelled.is_set():
        raise Bail("targets")
    leftovers = [state for state in deployment.resources if _is_left_over(state, deployment, generator)]
    condemned = _only_targets(leftovers, deployment, generator, report)
    kept = {id(state) for state in leftovers} - {id(state) for state in condemned}
    steps = [Step("same", state, state) for state in leftovers if id(state) in kept and not state.delete]
    for state in condemned:
        if state.delete or id(state) in deployment.replaced:
            steps.append(delete_step(state, replaced=True))
        elif state.pending_replacement:
            steps.append(Step("remove-pending-replace", old=state))
        else:
            steps.append(delete_step(state))
        generator.deletes.add(state.urn)
        providers.ensure(state.provider, state.urn)
    return steps


def perform_deletes(steps: list[Step], deployment: Deployment, executor: Executor) -> None:
    """Performs deletions; what a resource needs stays when that resource could not be deleted."""
    # In the order of the state, in which each resource comes after what it depends on.
    executor.run([step for step in steps if step.op == "same"])
    steps = [step for step in steps if step.op != "same"]
    planned = {id(step.resource): step for step in steps}
    needed: set[int] = set()
    told = 0
    for wave in deployment.graph.waves_of_deletion(step.resource for step in steps):
        for state in executor.errored[told:]:
            told += 1
            if state in deployment.graph:
                needed |= {id(kept) for kept in deployment.graph.transitive_dependencies_of(state)}
        if deployment.cancelled.is_set():
            return
        executor.run_at_once([planned[id(state)] for state in wave if id(state) not in needed])


def _is_left_over(state: ResourceState, deployment: Deployment, generator: StepGenerator) -> bool:
    if id(state) in generator.deleted_already:
        return False
    return state.delete or id(state) in deployment.replaced or not generator.operated_on(state.urn)


def _only_targets(
    leftovers: list[ResourceState], deployment: Deployment, generator: StepGenerator, report: Reporter
) -> list[ResourceState]:
    options = deployment.options
    if not options.targets:
        return leftovers
    chosen = {id(state) for state in leftovers if state.urn in options.targets}
    for state in [state for state in leftovers if id(state) in chosen]:
        for dependent in deployment.graph.depending_on(state, (), children=True):
            if id(dependent) in chosen or not _is_left_over(dependent, deployment, generator):
                continue
            if not options.target_dependents:
                report.error(
                    f"resource '{dependent.urn}' would be deleted, but was not named by --target; "
                    "name it too, or give --target-dependents",
                    dependent.urn,
                )
                raise Bail(dependent.urn)
            chosen.add(id(dependent))
    return [state for state in leftovers if id(state) in chosen]
