"""Deletes what the program no longer asks for: in waves, in reverse dependency order."""

from __future__ import annotations

from collections import deque

from dataops.infra.engine.deployment import Bail, Deployment
from dataops.infra.engine.executor import Executor
from dataops.infra.engine.plan_keeping import PlanKeeping
from dataops.infra.engine.provider_resources import ProviderResources
from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.step import Step, delete_step
from dataops.infra.engine.step_generator import StepGenerator
from dataops.infra.resources.references import named_by
from dataops.infra.resources.state import ResourceState


def plan_deletes(
    deployment: Deployment,
    generator: StepGenerator,
    providers: ProviderResources,
    report: Reporter,
    keeping: PlanKeeping,
) -> list[Step]:
    """What is left over once the program has ended: replaced resources and those it no longer asks for.

    A target that is nowhere is reported and fails the deployment, but the others are seen to.

    Raises:
        Bail: something that is no target depends on a target; it was reported.
        ResourceError: something else was planned.
    """
    known = deployment.olds.keys() | generator.names.urns
    for urn in deployment.options.targets.chosen.missing(known):
        report.error(f"the target '{urn}' is not in the stack; mind that a shell replaces $ unless it is quoted")
        deployment.fail(stop=False)
    leftovers = [state for state in deployment.resources if _is_left_over(state, deployment, generator)]
    condemned = _without_excluded(_only_targets(leftovers, deployment, generator, report), deployment)
    going = {id(state) for state in condemned}
    kept = [state for state in leftovers if id(state) not in going]
    # What was replaced waits for its deletion; it is not what it was before.
    steps = [Step("same", s, s) for s in kept if not (s.delete or id(s) in deployment.replaced)]
    for state in condemned:
        if state.delete or id(state) in deployment.replaced:
            steps.append(delete_step(state, replaced=True))
        elif deployment.awaits_replacement(state):
            steps.append(Step("remove-pending-replace", old=state))
        else:
            steps.append(delete_step(state))
        generator.deletes.add(state.urn)
        providers.ensure(state.provider, state.urn)
    keeping.steps(steps)
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
    if state.delete or id(state) in deployment.replaced:
        return id(state) not in generator.deleted_already
    return not generator.operated_on(state.urn)


def _only_targets(
    leftovers: list[ResourceState], deployment: Deployment, generator: StepGenerator, report: Reporter
) -> list[ResourceState]:
    """Those that were chosen, with what depends on them."""
    targets = deployment.options.targets
    if not targets.chosen:
        return leftovers
    # A target that stays has dependents, too, and those that are left over go with it: so does Pulumi.
    reached = set[str]()
    for state in deployment.resources:
        if state.urn in targets.chosen or not reached.isdisjoint({state.parent, *named_by(state)}):
            reached.add(state.urn)
    condemned = [state for state in leftovers if state.urn in reached]
    unnamed = [state for state in condemned if state.urn not in targets.chosen]
    if unnamed and not targets.dependents:
        for dependent in unnamed:
            report.error(
                f"resource '{dependent.urn}' would be deleted, but was not named by --target; "
                "name it too, or give --target-dependents",
                dependent.urn,
            )
        deployment.fail(stop=not deployment.options.preview)
        if not deployment.options.preview:
            raise Bail("targets")
    return condemned


def _without_excluded(leftovers: list[ResourceState], deployment: Deployment) -> list[ResourceState]:
    """Those that were not excluded, and that nothing which was excluded needs."""
    targets = deployment.options.targets
    if targets.chosen or not targets.excluded:
        return leftovers
    kept: set[str] = set()
    pending = deque(state for state in deployment.resources if state.urn in targets.excluded)
    while pending:
        state = pending.popleft()
        if state.urn in kept:
            continue
        kept.add(state.urn)
        pending += deployment.graph.dependencies_of(state)
        if targets.excluded_dependents:
            pending += deployment.graph.depending_on(state, kept, children=True)
    # What waits for its deletion is kept with what bears its name now.
    kept &= deployment.olds.keys()
    return [state for state in leftovers if state.urn not in kept]
