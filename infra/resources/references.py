"""What a recorded resource speaks of: the URNs that it depends on, and its provider."""

from __future__ import annotations

from collections.abc import Iterator

from dataops.infra.resources.state import ResourceState


def provider_urn(reference: str) -> str:
    """The URN in a provider reference `<urn>::<id>`; "" for none."""
    return reference.rpartition("::")[0]


def provider_id(reference: str) -> str:
    """The id in a provider reference."""
    return reference.rpartition("::")[2]


def named_by(state: ResourceState) -> Iterator[str]:
    """The URNs that a resource depends on by itself: all but its parent."""
    yield from state.dependencies
    for urns in state.property_dependencies.values():
        yield from urns
    if state.deleted_with:
        yield state.deleted_with
    yield from state.replace_with
    if state.provider:
        yield provider_urn(state.provider)
