"""Operations that an earlier update began and whose outcome nobody has seen: what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dataops.infra.engine.options import UpdateOptions
from dataops.infra.resources.state import Deployment, PendingOperation


def settled(base: Deployment, options: UpdateOptions) -> Deployment:
    """The deployment without the operations that the options decide about; itself when there are none."""
    left: list[PendingOperation] = []
    resources = list(base.resources)
    found = dict(options.import_pending_creates)
    for pending in base.pending_operations:
        if pending.kind == "creating" and pending.resource.urn in found:
            made = pending.resource.copy(id=found.pop(pending.resource.urn), outputs=dict(pending.resource.inputs))
            resources = [r.copy(delete=True) if r.urn == made.urn and not r.delete else r for r in resources]
            resources.append(made)
        elif not _is_forgotten(pending, options):
            left.append(pending)
    if len(left) == len(base.pending_operations):
        return base
    return replace(base, resources=resources, pending_operations=left)


def unmatched(base: Deployment, options: UpdateOptions) -> list[str]:
    """The URNs that an id was given for, and whose creation is not pending."""
    pending = {item.resource.urn for item in base.pending_operations if item.kind == "creating"}
    return sorted(options.import_pending_creates.keys() - pending)


def warning(pending: Sequence[PendingOperation]) -> str:
    """What to know of operations that are still pending, and what to do."""
    listed = "".join(f"\n  * {item.resource.urn}, interrupted while {item.kind}" for item in pending)
    return (
        f"{len(pending)} operations of an earlier update may or may not have taken effect:{listed}\n"
        "`refresh` finds out about those that are recorded. One that was being created may exist without being "
        "recorded: look for it where it would be. If it is there, let `refresh --import-pending-creates URN "
        "--import-pending-creates ID` take it in, or delete it there; then let `refresh --clear-pending-creates` "
        "forget what is left"
    )


def _is_forgotten(pending: PendingOperation, options: UpdateOptions) -> bool:
    cleared = options.clear_pending_creates and pending.kind == "creating"
    return cleared or pending.resource.type.startswith(options.adopted)
