"""Changes to recorded resources without touching what they stand for: what `dataops stack state` does.

All functions take and give the `resources` of an exported deployment, in its JSON form, and change nothing in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from dataops.infra.errors import ConfigurationError, NotFoundError, PolicyError
from dataops.infra.resources.urn import ROOT_STACK_TYPE, is_provider, name_of

Resources = list[dict[str, Any]]


def find(resources: Sequence[dict[str, Any]], urn: str) -> list[dict[str, Any]]:
    """The resources of a URN: more than one when a replaced one waits for its deletion.

    Raises:
        NotFoundError: there is none.
    """
    found = [resource for resource in resources if resource["urn"] == urn]
    if found:
        return found
    near = [resource["urn"] for resource in resources if name_of(resource["urn"]) == urn.rpartition("::")[2]]
    raise NotFoundError(
        f"the state has no resource {urn}", hint=f"did you mean '{near[0]}'?" if near else "dataops stack --show-urns"
    )


def without(resources: Sequence[dict[str, Any]], urn: str, force: bool, dependents: bool) -> Resources:
    """The resources without one.

    Args:
        force: even if it is protected.
        dependents: without those that depend on it, too.

    Raises:
        NotFoundError: there is no such resource.
        PolicyError: it is protected, or others depend on it.
    """
    gone = {urn}
    for doomed in find(resources, urn):
        if doomed.get("protect") and not force:
            raise PolicyError(f"{name_of(urn)} is protected", where=urn, hint="add --force, or unprotect it first")
    for resource in resources:
        if resource["urn"] not in gone and gone.intersection(references(resource)):
            if not dependents:
                raise PolicyError(
                    f"{resource['urn']} depends on it",
                    where=urn,
                    hint="add --target-dependents to forget what depends on it as well",
                )
            if resource.get("protect") and not force:
                raise PolicyError("something that depends on it is protected", where=resource["urn"])
            gone.add(resource["urn"])
    return [resource for resource in resources if resource["urn"] not in gone]


def renamed(resources: Sequence[dict[str, Any]], urn: str, name: str) -> Resources:
    """The resources with another name for one, wherever it is spoken of.

    Raises:
        NotFoundError: there is no such resource.
        ConfigurationError: there is one of the new name.
    """
    find(resources, urn)
    new = "::".join([*urn.split("::", 3)[:3], name])
    if any(resource["urn"] == new for resource in resources):
        raise ConfigurationError("there is a resource of that name already", where=new)
    return [rewritten(resource, lambda old: new if old == urn else old) for resource in resources]


def restacked(resources: Sequence[dict[str, Any]], change: Callable[[str], str]) -> Resources:
    """The resources with all their URNs changed, as those of a stack are that has another name."""
    return [rewritten(resource, change) for resource in resources]


def marked(resources: Sequence[dict[str, Any]], urns: Collection[str], field: str, value: bool) -> Resources:
    """The resources with a flag, such as `protect` or `taint`, set or taken away; no `urns`: of all.

    Raises:
        NotFoundError: one of them is not there.
    """
    for urn in urns:
        find(resources, urn)
    result = []
    for resource in resources:
        chosen = resource["urn"] in urns if urns else _markable(resource, field)
        kept = {key: held for key, held in resource.items() if key != field or not chosen}
        result.append({**kept, field: True} if chosen and value else kept)
    return result


def repaired(resources: Sequence[dict[str, Any]]) -> tuple[Resources, list[str]]:
    """The resources in an order in which each follows what it depends on, without references to what is gone.

    Returns:
        Them, and what was wrong.
    """
    known = {resource["urn"] for resource in resources}
    notes: list[str] = []
    whole = [_without_dangling(resource, known, notes) for resource in resources]
    done: set[str] = set()
    ordered: Resources = []
    waiting = whole
    while waiting:
        left = []
        for resource in waiting:
            if all(urn in done or urn == resource["urn"] for urn in references(resource)):
                ordered.append(resource)
                done.add(resource["urn"])
            else:
                left.append(resource)
        if len(left) == len(waiting):
            raise ConfigurationError("resources depend on one another in a circle", where=left[0]["urn"])
        waiting = left
    if [r["urn"] for r in ordered] != [r["urn"] for r in resources]:
        notes.append("resources stood before what they depend on")
    return ordered, notes


def references(resource: dict[str, Any]) -> Iterator[str]:
    """The URNs that a resource speaks of: parent, provider, dependencies."""
    yield from filter(None, [resource.get("parent"), resource.get("deletedWith")])
    if provider := resource.get("provider"):
        yield provider.rpartition("::")[0]
    yield from resource.get("dependencies") or ()
    for urns in (resource.get("propertyDependencies") or {}).values():
        yield from urns or ()


def rewritten(resource: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """A resource with each URN in it changed."""
    new = dict(resource)
    for field in ("urn", "parent", "deletedWith", "viewOf"):
        if new.get(field):
            new[field] = change(new[field])
    if provider := new.get("provider"):
        urn, _, id_ = provider.rpartition("::")
        new["provider"] = f"{change(urn)}::{id_}"
    for field in ("dependencies", "replaceWith"):
        if new.get(field):
            new[field] = [change(urn) for urn in new[field]]
    if found := new.get("propertyDependencies"):
        new["propertyDependencies"] = {key: [change(u) for u in urns or ()] for key, urns in found.items()}
    return new


def _markable(resource: dict[str, Any], field: str) -> bool:
    return field == "protect" or not (is_provider(resource["type"]) or resource["type"] == ROOT_STACK_TYPE)


def _without_dangling(resource: dict[str, Any], known: Collection[str], notes: list[str]) -> dict[str, Any]:
    lost = sorted({urn for urn in references(resource) if urn not in known})
    if not lost:
        return resource
    notes.extend(f"{resource['urn']} spoke of {urn}, which is gone" for urn in lost)
    new = dict(resource)
    for field in ("parent", "deletedWith"):
        if new.get(field) in lost:
            del new[field]
    if new.get("dependencies"):
        new["dependencies"] = [urn for urn in new["dependencies"] if urn not in lost]
    if found := new.get("propertyDependencies"):
        new["propertyDependencies"] = {key: [u for u in urns or () if u not in lost] for key, urns in found.items()}
    if new.get("provider", "").rpartition("::")[0] in lost:
        raise NotFoundError(
            "its provider is gone from the state", where=resource["urn"], hint="dataops stack state delete URN"
        )
    return new
