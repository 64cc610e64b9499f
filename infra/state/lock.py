"""The lock of a stack: a lease that other users of the state respect, the Pulumi CLI among them."""

from __future__ import annotations

from dataops.infra.errors import LockedError
from dataops.infra.state.backend import LockHolder, StackReference
from dataops.infra.state.lease import Lease, LockPlace
from dataops.infra.state.lease import holders as holders_at
from dataops.infra.state.storage import Storage


def lock_folder(ref: StackReference) -> str:
    """The folder of a stack's locks."""
    return f".pulumi/locks/{ref.qualified}"


def holders(storage: Storage, ref: StackReference) -> list[LockHolder]:
    """All locks of a stack, as they are now."""
    return holders_at(storage, LockPlace(lock_folder(ref)))


def lock_stack(storage: Storage, ref: StackReference) -> Lease:
    """Takes the lock of a stack.

    Raises:
        LockedError: somebody who may be alive holds it.
    """

    def refusal(others: list[LockHolder]) -> LockedError:
        if not others:
            return LockedError(f"others are about to lock stack {ref.stack!r}", hint="run the command again")
        doubt = "" if others[0].alive else "; whether it is still at work cannot be known from here"
        return LockedError(
            f"stack {ref.stack!r} is locked by {others[0]}{doubt}",
            where=storage.describe(others[0].path),
            hint=f"wait until it has ended; if it is gone for good: dataops stack cancel {ref.stack}",
            details="\n".join(str(other) for other in others[1:]) or None,
        )

    return Lease.acquire(storage, LockPlace(lock_folder(ref)), f"stack {ref.stack!r}", refusal)
