"""New resource states from goals."""

from __future__ import annotations

from typing import Any

from dataops.infra.engine.goal import Goal, ReadGoal
from dataops.infra.resources.state import ResourceState


def new_state(goal: Goal, urn: str, old: ResourceState | None, alias: str | None) -> ResourceState:
    """What a goal's resource is going to be, before its provider has said anything."""
    extra: dict[str, Any] = {}
    if goal.hooks:
        extra["resourceHooks"] = goal.hooks
    if goal.hide_diffs:
        extra["hideDiff"] = goal.hide_diffs
    return ResourceState(
        urn=urn,
        type=goal.type,
        custom=goal.custom,
        inputs=goal.properties,
        parent=goal.parent,
        protect=bool(goal.protect),
        dependencies=goal.dependencies,
        property_dependencies=goal.property_dependencies,
        provider=goal.provider,
        additional_secret_outputs=goal.additional_secret_outputs,
        aliases=[alias] if alias else [],
        custom_timeouts=goal.timeouts,
        import_id=goal.import_id,
        retain_on_delete=bool(goal.retain_on_delete),
        deleted_with=goal.deleted_with,
        replace_with=goal.replace_with,
        created=old.created if old else None,
        modified=old.modified if old else None,
        source_position=goal.source_position,
        ignore_changes=goal.ignore_changes,
        replace_on_changes=goal.replace_on_changes,
        replacement_trigger=goal.trigger,
        extra=extra,
    )


def read_state(goal: ReadGoal, urn: str, alias: str | None) -> ResourceState:
    """A resource that is read, not managed."""
    return ResourceState(
        urn=urn,
        type=goal.type,
        custom=True,
        id=goal.id if isinstance(goal.id, str) else "",
        inputs=goal.properties,
        parent=goal.parent,
        external=True,
        dependencies=goal.dependencies,
        provider=goal.provider,
        additional_secret_outputs=goal.additional_secret_outputs,
        aliases=[alias] if alias else [],
        source_position=goal.source_position,
    )
