"""Steps: what is going to happen to one resource, decided before anything happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dataops.infra.providers.base import PropertyDiff
from dataops.infra.resources.state import ResourceState

_INTERNAL_HALVES = frozenset(
    {
        "create-replacement",
        "delete-replaced",
        "discard-replaced",
        "read-replacement",
        "import-replacement",
        "remove-pending-replace",
        "refresh",
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step, as planned. Performing it gives a new state; the plan itself never changes.

    Args:
        op: one of `dataops.infra.events.engine_events.OPS`.
        old: the recorded resource, None for a new one.
        new: what it is to be, None when it goes away.
        keys, diffs, detailed: why: see `StepMetadata`.
        ignore_changes: property paths whose changes the provider is told to ignore.
        leaves_old: a replacement whose old resource is deleted later.
        before_replacement: a deletion that a replacement of the same resource follows.
        skipped: a creation that the targets leave out; nothing is recorded.
        by_program: a refresh of what the program has just registered; what is found gets its new options.
    """

    op: str
    old: ResourceState | None = None
    new: ResourceState | None = None
    keys: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    detailed: Mapping[str, PropertyDiff] | None = None
    ignore_changes: list[str] = field(default_factory=list)
    leaves_old: bool = False
    before_replacement: bool = False
    skipped: bool = False
    by_program: bool = False

    @property
    def resource(self) -> ResourceState:
        """The resource that the step is about: the new one if there is one."""
        found = self.new or self.old
        assert found is not None
        return found

    @property
    def urn(self) -> str:
        return self.resource.urn

    @property
    def logical(self) -> bool:
        """Whether the user sees it as one change, rather than as a part of one."""
        return self.op not in _INTERNAL_HALVES


def delete_step(old: ResourceState, *, replaced: bool = False, before_replacement: bool = False) -> Step:
    """The step that removes a resource; what was only read is forgotten instead."""
    if old.external:
        op = "discard-replaced" if replaced else "discard"
    else:
        op = "delete-replaced" if replaced else "delete"
    return Step(op, old=old, before_replacement=before_replacement)
