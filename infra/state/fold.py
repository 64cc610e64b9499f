"""Folding a journal into the deployment that it extends.

Works on the JSON of resources, so that a leftover journal can be folded without the passphrase. The result is that of
Pulumi's journal replayer: resources that the update recorded, in the order of its operations, then what it left of the
base; operations without an end stay as pending ones. One difference: where an update ends before it has come to a
resource, what an earlier one left pending on it stays pending as well; Pulumi's forgets all but creations at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataops.infra.resources.urn import ROOT_STACK_TYPE, make_urn, name_of, qualified_type, type_of
from dataops.infra.state.journal import EntryKind
from dataops.infra.state.resource_json import new_manifest

Resource = dict[str, Any]
Identity = tuple[str, str]
"""The URN and the id of a resource: one that is replaced is recorded twice under its URN for a while."""

Entry = Mapping[str, Any]
"""A `JournalEntry` in JSON: the same names, `state` as `ResourceV3`; what is None or False is left out."""

FEATURES = {
    "refreshBeforeUpdate": "refreshBeforeUpdate",
    "viewOf": "views",
    "resourceHooks": "hooks",
    "taint": "taint",
    "replaceWith": "replaceWith",
}


class Fold:
    """A base and what happened since; `base` is never changed, `add` follows the order of the journal."""

    def __init__(self, base: Mapping[str, Any]) -> None:
        self._start(base)
        self._refreshed = False

    def _start(self, base: Mapping[str, Any]) -> None:
        self._base = base
        self._recorded: dict[int, Resource | None] = {}
        self._begun: dict[int, Entry] = {}
        self._ended: set[Identity] = set()
        self._gone: set[int] = set()
        self._replaced: dict[int, Resource] = {}
        self._deleted: set[int] = set()
        self._pending_replacement: set[int] = set()

    def add(self, entry: Entry) -> None:
        """Takes one entry into account. `KeyError` when it names an operation that recorded nothing."""
        kind, operation = EntryKind(entry["kind"]), int(entry.get("operation", 0))
        if kind is EntryKind.WRITE:
            self._start(entry["deployment"])
        elif kind is EntryKind.REBASE:
            self._start(self.deployment())
        elif kind is EntryKind.BEGIN:
            self._begun[operation] = entry
        elif kind is EntryKind.OUTPUTS:
            self._replace(entry)
        else:
            begun = self._begun.pop(operation, {}).get("state")
            if begun is not None:
                self._ended.add(_identity(begun))
            self._refreshed |= kind is EntryKind.REFRESH or bool(entry.get("refresh"))
            if kind is EntryKind.REFRESH:
                self._replace(entry)
            elif kind is EntryKind.SUCCESS:
                self._succeed(operation, entry)

    def _succeed(self, operation: int, entry: Entry) -> None:
        if (state := entry.get("state")) is not None:
            self._recorded[operation] = state
        if (index := entry.get("removes_base")) is not None:
            self._gone.add(index)
        if (other := entry.get("removes_operation")) is not None:
            self._recorded[other] = None
        if (index := entry.get("marks_base_deleted")) is not None:
            self._deleted.add(index)
        if (other := entry.get("marks_operation_deleted")) is not None:
            self._mark(other, "delete")
        if (index := entry.get("marks_base_pending_replacement")) is not None:
            self._pending_replacement.add(index)
        if (other := entry.get("marks_operation_pending_replacement")) is not None:
            self._mark(other, "pendingReplacement")

    def _replace(self, entry: Entry) -> None:
        state = entry.get("state")
        if (index := entry.get("removes_base")) is not None:
            if state is None:
                self._gone.add(index)
            else:
                self._replaced[index] = state
        if (other := entry.get("removes_operation")) is not None:
            self._recorded[other] = state

    def _mark(self, operation: int, field: str) -> None:
        recorded = self._recorded[operation]
        if recorded is not None:
            self._recorded[operation] = {**recorded, field: True}

    def _still_pending(self) -> list[dict[str, Any]]:
        """Operations of the base of whose outcome nothing more is known.

        A creation may have left something behind of which only the user can say what it is. Any other is about a
        recorded resource, and is no longer in doubt once this update has done something with it.
        """
        known = self._gone | self._replaced.keys() | self._pending_replacement
        resources = enumerate(self._base.get("resources") or ())
        left = {_identity(resource) for index, resource in resources if index not in known}
        left -= self._ended
        left -= {_identity(entry["state"]) for entry in self._begun.values() if entry.get("state") is not None}
        return [
            pending
            for pending in self._base.get("pending_operations") or ()
            if pending["type"] == "creating" or _identity(pending["resource"]) in left
        ]

    def deployment(self) -> dict[str, Any]:
        """The deployment as of the last entry."""
        resources = [dict(state) for state in self._recorded.values() if state is not None]
        for index, resource in enumerate(self._base.get("resources") or ()):
            if index in self._gone:
                continue
            if index in self._replaced:
                resources.append(dict(self._replaced[index]))
                continue
            marks = {"delete": True} if index in self._deleted else {}
            if index in self._pending_replacement:
                marks["pendingReplacement"] = True
            resources.append({**resource, **marks})
        pending = [
            {"resource": entry["state"], "type": entry["pending"]}
            for entry in self._begun.values()
            if entry.get("pending") and entry.get("state") is not None
        ]
        pending += self._still_pending()
        if self._refreshed:
            _drop_dangling(resources)
        _follow_aliases(resources)
        folded = {key: value for key, value in self._base.items() if key not in ("resources", "pending_operations")}
        folded = {**folded, "manifest": new_manifest()}
        if resources:
            folded["resources"] = resources
        if pending:
            folded["pending_operations"] = pending
        folded["metadata"] = folded.pop("metadata", {})
        return folded


def _identity(resource: Resource) -> Identity:
    return resource["urn"], resource.get("id", "")


def _drop_dangling(resources: list[Resource]) -> None:
    """Forgets references to resources that a refresh found gone."""
    alive = {resource["urn"] for resource in resources}
    present: set[str] = set()
    for resource in resources:
        for field in ("dependencies", "replaceWith"):
            if field in resource:
                _set(resource, field, [urn for urn in resource[field] if urn in present])
        if "propertyDependencies" in resource:
            given = resource["propertyDependencies"]
            kept = {key: [urn for urn in urns or () if urn in present] for key, urns in given.items()}
            _set(resource, "propertyDependencies", {key: urns for key, urns in kept.items() if urns})
        if resource.get("deletedWith") not in present:
            resource.pop("deletedWith", None)
        if resource.get("parent") not in alive:
            resource.pop("parent", None)
        present.add(resource["urn"])


def _set(resource: Resource, field: str, value: Any) -> None:
    if value:
        resource[field] = value
    else:
        resource.pop(field, None)


def _follow_aliases(resources: list[Resource]) -> None:
    """Lets everything refer to resources by their new URNs and drops the aliases, which have done their work."""
    renamed: dict[str, str] = {}
    for resource in resources:
        for alias in resource.get("aliases") or ():
            renamed[alias] = resource["urn"]
        parent = renamed.get(resource.get("parent", ""))
        if parent and qualified_type(parent) != ROOT_STACK_TYPE:
            stack, project = resource["urn"].split("::")[0].removeprefix("urn:pulumi:"), resource["urn"].split("::")[1]
            renamed[resource["urn"]] = make_urn(
                stack, project, parent, type_of(resource["urn"]), name_of(resource["urn"])
            )
    if not renamed:
        return
    for resource in resources:
        resource.pop("aliases", None)
        for field in ("urn", "parent", "deletedWith", "viewOf"):
            if resource.get(field) in renamed:
                resource[field] = renamed[resource[field]]
        if "dependencies" in resource:
            resource["dependencies"] = [renamed.get(urn, urn) for urn in resource["dependencies"]]
        if "propertyDependencies" in resource:
            resource["propertyDependencies"] = {
                key: [renamed.get(urn, urn) for urn in urns or ()]
                for key, urns in resource["propertyDependencies"].items()
            }
        if provider := resource.get("provider"):
            urn, _, id_ = provider.rpartition("::")
            resource["provider"] = f"{renamed.get(urn, urn)}::{id_}"


def features_of(deployment: Mapping[str, Any]) -> list[str]:
    """What a reader of the deployment must know beyond version 3; not empty means that it is written as version 4."""
    return sorted({FEATURES[field] for r in deployment.get("resources") or () for field in FEATURES if r.get(field)})
