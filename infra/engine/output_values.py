"""Output values: what the SDK sends with dependencies, and what the rest of the engine makes of them."""

from __future__ import annotations

from typing import Any

from dataops.infra.resources.values import Output, Properties, Secret, Value


def with_dependencies(properties: Properties, request: Any) -> Properties:
    """Properties whose values carry what they depend on, so that transforms can pass it on."""
    changed = dict(properties)
    for key, deps in request.propertyDependencies.items():
        if deps.urns and key in changed and not isinstance(changed[key], Output):
            value = changed[key]
            secret = isinstance(value, Secret)
            changed[key] = Output(value.value if secret else value, secret, tuple(deps.urns))
    return changed


def downgraded(value: Value) -> Value:
    """A value without output values: what they hold, marked secret where it is."""
    if isinstance(value, Output):
        inner = downgraded(value.value)
        return Secret(inner) if value.secret else inner
    if isinstance(value, dict):
        return {key: downgraded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [downgraded(item) for item in value]
    if isinstance(value, Secret):
        return Secret(downgraded(value.value))
    return value


def output_dependencies(value: Value) -> list[str]:
    """The URNs that the output values within a value depend on."""
    if isinstance(value, Output):
        return [*value.dependencies, *output_dependencies(value.value)]
    if isinstance(value, dict):
        return [urn for item in value.values() for urn in output_dependencies(item)]
    if isinstance(value, list):
        return [urn for item in value for urn in output_dependencies(item)]
    return []
