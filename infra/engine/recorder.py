"""Records steps in the journal: before the provider is called, and before anybody is told of the outcome."""

from __future__ import annotations

import itertools
import threading
from typing import TypedDict

from dataops.infra.engine.deployment import Deployment
from dataops.infra.engine.diffing import equal
from dataops.infra.engine.step import Step
from dataops.infra.resources.state import ResourceState
from dataops.infra.state.journal import EntryKind, JournalEntry
from dataops.infra.state.session import UpdateSession

_PENDING = {
    "create": "creating",
    "create-replacement": "creating",
    "update": "updating",
    "delete": "deleting",
    "delete-replaced": "deleting",
    "discard": "deleting",
    "discard-replaced": "deleting",
    "read": "reading",
    "read-replacement": "reading",
    "import": "importing",
    "import-replacement": "importing",
}


class _Place(TypedDict, total=False):
    removes_base: int | None
    removes_operation: int | None


class Recorder:
    """Tells an update session what the engine does.

    Args:
        session: None in previews, which record nothing.
    """

    def __init__(self, deployment: Deployment, session: UpdateSession | None) -> None:
        self._deployment = deployment
        self._session = session
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._base: dict[int, int] = {}
        self._recorded: dict[int, tuple[int, ResourceState]] = {}
        self.rebase(deployment.resources)

    def rebase(self, resources: list[ResourceState]) -> None:
        """Indices count in these resources from now on."""
        self._base = {id(state): index for index, state in enumerate(resources)}
        self._recorded.clear()

    def begin(self, step: Step) -> int:
        """Notes that a step is about to be performed; returns the number of the operation."""
        number = next(self._numbers)
        pending = _PENDING.get(step.op)
        if self._session is not None and pending is not None and not step.skipped:
            self._session.append(JournalEntry(EntryKind.BEGIN, number, step.op, state=step.resource, pending=pending))
        return number

    def success(self, number: int, step: Step, state: ResourceState | None) -> None:
        """Notes what a step has made of its resource; None when it is gone."""
        if self._session is None or step.op == "replace" or step.skipped:
            return
        if state is not None:
            with self._lock:
                self._recorded[id(state)] = (number, state)
        self._session.append(self._entry(number, step, state))

    def failure(self, number: int, step: Step) -> None:
        """Notes that a step has come to nothing."""
        if self._session is not None and step.op in _PENDING and not step.skipped:
            self._session.append(JournalEntry(EntryKind.FAILURE, number, step.op))

    def outputs(self, before: ResourceState, after: ResourceState) -> None:
        """Notes the outputs that the program registered for a component."""
        if self._session is None:
            return
        number = next(self._numbers)
        place = self._place(before)
        with self._lock:
            self._recorded[id(after)] = (number, after)
        self._session.append(
            JournalEntry(
                EntryKind.OUTPUTS,
                number,
                "outputs",
                state=after,
                durable=not equal(before.outputs, after.outputs),
                **place,
            )
        )

    def _entry(self, number: int, step: Step, state: ResourceState | None) -> JournalEntry:
        old = step.old
        place = self._place(old) if old is not None else {}
        base, operation = place.get("removes_base"), place.get("removes_operation")
        if step.op == "refresh":
            if step.by_program:
                # What the program registers moves behind all that it needs.
                return JournalEntry(EntryKind.SUCCESS, number, step.op, state=state, refresh=True, **place)
            return JournalEntry(EntryKind.REFRESH, number, step.op, state=state, refresh=True, **place)
        if step.before_replacement:
            return JournalEntry(
                EntryKind.SUCCESS,
                number,
                step.op,
                marks_base_pending_replacement=base,
                marks_operation_pending_replacement=operation,
            )
        # A resource that is deleted before its replacement may still be there, but has been planned to go.
        if step.leaves_old and old is not None and not self._deployment.awaits_replacement(old):
            return JournalEntry(
                EntryKind.SUCCESS,
                number,
                step.op,
                state=state,
                marks_base_deleted=base,
                marks_operation_deleted=operation,
            )
        durable = step.op != "same" or _must_write(old, state)
        return JournalEntry(EntryKind.SUCCESS, number, step.op, state=state, durable=durable, **place)

    def _place(self, state: ResourceState) -> _Place:
        if (index := self._base.get(id(state))) is not None:
            return {"removes_base": index}
        with self._lock:
            found = self._recorded.get(id(state))
        return {"removes_operation": found[0]} if found else {}


def _must_write(old: ResourceState | None, new: ResourceState | None) -> bool:
    """Whether an unchanged resource is recorded differently all the same: other dependencies, options and the like."""
    if old is None or new is None:
        return True
    return old.copy(modified=new.modified, source_position=new.source_position) != new
