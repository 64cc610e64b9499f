"""The words of the journal: what the engine says about one operation, before and after it happens.

The meaning of the entries is that of Pulumi's snapshot journal, so that folding ours gives the state that Pulumi's
engine would have written. A resource of the deployment that an update started from is named by its index there
("base"), one that this update has recorded by the operation that recorded it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dataops.infra.resources.state import ResourceState


class EntryKind(Enum):
    """What an entry says.

    BEGIN: an operation starts; with `pending` set it stays in the state as a pending operation until an end is told.
    SUCCESS: it ended well: `state` joins the new resources, and the removals and marks take effect.
    FAILURE: it ended without effect. A resource that was made but is not ready is a SUCCESS with `init_errors`.
    REFRESH: a refresh that keeps the resource where it stands; without `state` the resource is gone.
    OUTPUTS: a resource's outputs were registered; `state` replaces the one that `removes_…` names, in place.
    REBASE: what has been recorded so far becomes the base; indices count in `UpdateSession.deployment()` from now on.
    WRITE: the base itself changes before anything else is told; indices count in the new base. Made by the session.
    """

    BEGIN = "begin"
    SUCCESS = "success"
    FAILURE = "failure"
    REFRESH = "refresh"
    OUTPUTS = "outputs"
    REBASE = "rebase"
    WRITE = "write"


PENDING_KINDS = ("creating", "updating", "deleting", "reading", "importing")


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One thing told about one operation.

    Args:
        kind: see `EntryKind`.
        operation: a number that the engine gives to each operation, from 1, the same at its begin and its end.
        op: the step, such as `create`; for people who read the journal.
        state: the resource; it is encoded before `append` returns, so the caller may change it afterwards.
        pending: one of `PENDING_KINDS`, for BEGIN entries that a crash must leave a trace of.
        removes_base, removes_operation: the resource that this one replaces or that is gone.
        marks_base_deleted, marks_operation_deleted: replaced, still to be deleted (`delete: true`).
        marks_base_pending_replacement, marks_operation_pending_replacement: deleted before its replacement is made.
        refresh: part of a refresh: dependencies on resources that are gone are dropped when folding.
        durable: False for what need not be on disk before the next durable entry, such as an unchanged resource.
    """

    kind: EntryKind
    operation: int = 0
    op: str = ""
    state: ResourceState | None = None
    pending: str | None = None
    removes_base: int | None = None
    removes_operation: int | None = None
    marks_base_deleted: int | None = None
    marks_operation_deleted: int | None = None
    marks_base_pending_replacement: int | None = None
    marks_operation_pending_replacement: int | None = None
    refresh: bool = False
    durable: bool = True
