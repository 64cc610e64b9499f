"""Plans replacements: create before delete, or delete before create with everything that cannot outlive the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataops.infra.engine import diffing
from dataops.infra.engine.deployment import Bail, Deployment
from dataops.infra.engine.goal import Goal
from dataops.infra.engine.provider_resources import ProviderResources
from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.step import Step, delete_step
from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import DiffResult
from dataops.infra.resources.references import provider_urn
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import is_provider, name_of
from dataops.infra.resources.values import UNKNOWN

if TYPE_CHECKING:
    from dataops.infra.engine.step_generator import Draft, StepGenerator


def allow_replacement(
    deployment: Deployment, report: Reporter, draft: Draft, old: ResourceState, diff: DiffResult
) -> None:
    """Refuses to replace what is protected, or still says that it is imported; a preview only says so.

    Raises:
        Bail: it is protected; that was reported.
        ResourceError: it is imported.
    """
    preview = deployment.options.preview
    if draft.new.protect and old.protect and not deployment.options.ignore_protect:
        report.error(
            f'unable to replace resource "{draft.urn}"\nas it is currently marked for protection. '
            "To unprotect the resource, remove the `protect` flag from the resource in your program and run `up`",
            draft.urn,
        )
        deployment.fail(stop=not preview)
        if not preview:
            raise Bail(draft.urn)
    if draft.goal.import_id:
        message = (
            "previously-imported resources that still specify an ID may not be replaced; "
            f"please remove the `import` declaration from your program ({', '.join(diff.replaces)})"
        )
        if not preview:
            raise ResourceError(message, where=name_of(draft.urn))
        report.warning(message, draft.urn)


def deletes_first(goal: Goal, diff: DiffResult) -> bool:
    """Whether a replacement deletes before it creates: as the program says, else as the provider does."""
    return diff.delete_before_replace if goal.delete_before_replace is None else goal.delete_before_replace


def plan_replacement(
    generator: StepGenerator,
    deployment: Deployment,
    providers: ProviderResources,
    report: Reporter,
    draft: Draft,
    diff: DiffResult,
) -> list[Step]:
    """The steps that replace a resource, called with the generator's lock held."""
    old, new = draft.old, draft.new
    assert old is not None
    if not deletes_first(draft.goal, diff):
        return [
            Step("create-replacement", old, new, diff.replaces, diff.changed, diff.detailed, leaves_old=True),
            Step("replace", old, new, diff.replaces, diff.changed, diff.detailed, leaves_old=True),
        ]
    steps: list[Step] = []
    for dependent, keys in reversed(_dependents_to_replace(generator, deployment, providers, old)):
        if id(dependent) in generator.deleted_already:
            continue
        generator.replace_keys[dependent.urn] = keys
        if dependent.delete:
            steps.append(delete_step(dependent))
        else:
            if dependent.protect and not deployment.options.ignore_protect:
                report.error(
                    f'unable to replace resource "{dependent.urn}" as part of replacing "{draft.urn}" '
                    "as it is currently marked for protection. To unprotect the resource, remove the `protect` flag "
                    "from the resource in your program and run `up`",
                    draft.urn,
                )
                raise Bail(draft.urn)
            steps.append(delete_step(dependent, replaced=True, before_replacement=True))
        generator.deletes.add(dependent.urn)
        generator.deleted_already.add(id(dependent))
    providers.ensure(old.provider, old.urn)
    if not deployment.awaits_replacement(old):
        generator.deletes.add(old.urn)
        steps.append(delete_step(old, replaced=True, before_replacement=True))
    generator.deleted_already.add(id(old))
    return [
        *steps,
        Step("replace", old, new, diff.replaces, diff.changed, diff.detailed),
        Step("create-replacement", old, new, diff.replaces, diff.changed, diff.detailed),
    ]


def _dependents_to_replace(
    generator: StepGenerator, deployment: Deployment, providers: ProviderResources, root: ResourceState
) -> list[tuple[ResourceState, tuple[str, ...]]]:
    """Recorded resources that would have to be replaced if what they take from `root` were not known."""
    found: list[tuple[ResourceState, tuple[str, ...]]] = []
    if root in deployment.graph:
        replaced = {root.urn}
        settled = {*generator.planned, *generator.deletes}
        for dependent in deployment.graph.depending_on(root, settled):
            keys = _forced_by(replaced, dependent, generator, providers)
            if keys is not None:
                found.append((dependent, keys))
                replaced.add(dependent.urn)
    known = {id(dependent) for dependent, _ in found}
    for state in deployment.resources:
        tied = root.urn in state.replace_with or state.deleted_with == root.urn
        if tied and not state.delete and id(state) not in known and not generator.operated_on(state.urn):
            found.append((state, ()))
    return found


def _forced_by(
    replaced: set[str], state: ResourceState, generator: StepGenerator, providers: ProviderResources
) -> tuple[str, ...] | None:
    """The properties that force a replacement of `state`; None when none is needed."""
    if not state.custom or state.external:
        return None
    if state.provider and provider_urn(state.provider) in replaced:
        providers.ensure(state.provider, state.urn)
        return ()
    if state.deleted_with in replaced:
        return ()
    inputs, touched = dict(state.inputs), False
    for key in state.inputs:
        if any(urn in replaced for urn in state.property_dependencies.get(key, ())):
            inputs[key], touched = UNKNOWN, True
    if not touched:
        return None
    if is_provider(state.type):
        providers.ensure(f"{state.urn}::{state.id}", state.urn)
    else:
        providers.ensure(state.provider, state.urn)
    provider = providers.for_resource(True, state.type, state.provider, state.urn)
    assert provider is not None
    diff = diffing.diff_resource(
        provider, state.urn, state.id, state.inputs, state.outputs, inputs, state.ignore_changes
    )
    diff = diffing.apply_replace_on_changes(diff, state.replace_on_changes, False)
    return diff.replaces if diffing.replaces(diff) else None
