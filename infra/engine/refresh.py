"""Refresh: reads every recorded resource again and makes what is found the state to start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dataops.infra.engine.deployment import Deployment
from dataops.infra.engine.executor import Executor
from dataops.infra.engine.provider_resources import ProviderResources
from dataops.infra.engine.step import Step
from dataops.infra.engine.targets import Scope
from dataops.infra.resources.references import named_by
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import is_provider

if TYPE_CHECKING:
    from dataops.infra.engine.step_generator import Draft, StepGenerator


def refresh_all(deployment: Deployment, providers: ProviderResources, executor: Executor) -> None:
    """Reads all targeted resources, in parallel; the findings are in `executor.refreshed`."""
    steps = []
    scope = Scope(deployment.options.targets)
    for state in deployment.resources:
        if scope.covers(state, by_provider=False):
            providers.ensure(state.provider, state.urn)
            steps.append(Step("refresh", old=state))
        scope.spread(state, by_provider=False)
    executor.run_at_once(steps)


def reread_step(deployment: Deployment, generator: StepGenerator, draft: Draft) -> Step | None:
    """The step that reads again what the program has registered; None where that is not wanted."""
    old, new = draft.old, draft.new
    if old is None or not deployment.options.rereads:
        return None
    with generator.lock:
        if not generator.scope.covers(old):
            return None
        generator.planned[draft.urn] = "refresh"
    return Step("refresh", old, new, by_program=True)


def plan_as_found(generator: StepGenerator, draft: Draft) -> list[Step] | None:
    """What the program of a refresh gets for a resource: what was found, without a step.

    Returns:
        None for what is made as in an update: a provider, so that it is configured as the program says, and a
        component. What is not recorded, or gone, is left out, and what needs something that is left out.
    """
    new = draft.new
    with generator.lock:
        managed = new.custom and not is_provider(new.type)
        if not managed and generator.skipped_creates.isdisjoint({new.parent, *named_by(new)}):
            return None
        if draft.old is not None:
            return []
        generator.planned[draft.urn] = "same"
        generator.skipped_creates.add(draft.urn)
        return [Step("same", None, new, skipped=True)]


def refresh_leftovers(
    deployment: Deployment, generator: StepGenerator, providers: ProviderResources, executor: Executor
) -> None:
    """Reads what is recorded and the program has not asked for; of what depends on a target, only what was named."""
    steps = []
    targets = deployment.options.targets
    for state in deployment.resources:
        named = state.urn in targets.chosen if targets.chosen else state.urn not in targets.excluded
        if named and not generator.operated_on(state.urn):
            providers.ensure(state.provider, state.urn)
            steps.append(Step("refresh", old=state))
    executor.run_at_once(steps)


def rebuilt(resources: Sequence[ResourceState], refreshed: Mapping[int, ResourceState | None]) -> list[ResourceState]:
    """Resources as a refresh has found them, without dependencies on what is gone.

    Args:
        refreshed: by `id()` of the resource as it was recorded; None for what is gone.
    """
    found: list[ResourceState] = []
    there: set[str] = set()
    parents: dict[str, str] = {}
    for state in resources:
        new = refreshed.get(id(state), state)
        if new is None:
            parents[state.urn] = parents.get(state.parent, state.parent)
            continue
        parent = new.parent if not new.parent or new.parent in there else parents.get(new.parent, "")
        properties = {key: [urn for urn in urns if urn in there] for key, urns in new.property_dependencies.items()}
        kept = new.copy(
            parent=parent,
            dependencies=[urn for urn in new.dependencies if urn in there],
            property_dependencies={
                key: urns for key, urns in properties.items() if urns or not new.property_dependencies[key]
            },
            deleted_with=new.deleted_with if new.deleted_with in there else "",
            replace_with=[urn for urn in new.replace_with if urn in there],
        )
        found.append(new if kept == new else kept)
        there.add(new.urn)
    return found
