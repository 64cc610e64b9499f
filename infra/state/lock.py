"""The lock of a stack: a lease that other users of the state respect, the Pulumi CLI among them.

A lock is a file in the stack's lock folder; whoever finds another one there keeps away. Ours says so much about its
process that a dead holder can be told from a live one, and its heartbeat is renewed by a thread.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from dataops.infra.errors import DataopsError, LockedError
from dataops.infra.state.backend import LockHolder, StackReference
from dataops.infra.state.holder import EXPIRY, holder_alive, lock_content
from dataops.infra.state.resource_json import time_to_json
from dataops.infra.state.storage import Storage

BEAT = 10.0


def lock_folder(ref: StackReference) -> str:
    """The folder of a stack's locks."""
    return f".pulumi/locks/{ref.qualified}"


def holders(storage: Storage, ref: StackReference) -> list[LockHolder]:
    """All locks of a stack, as they are now."""
    found = []
    for name in storage.names(lock_folder(ref)):
        path = f"{lock_folder(ref)}/{name}"
        if name.endswith(".json") and (data := storage.read(path)) is not None:
            found.append(_holder(path, data))
    return found


def _holder(path: str, data: bytes) -> LockHolder:
    try:
        content = json.loads(data)
        return LockHolder(
            pid=int(content["pid"]),
            user=str(content["username"]),
            host=str(content["hostname"]),
            since=str(content["timestamp"]),
            alive=holder_alive(content),
            path=path,
        )
    except (ValueError, KeyError, TypeError):
        return LockHolder(0, "somebody", "an unknown host", "an unknown time", None, path)


class Lease:
    """A lock that this process holds. `acquire` one; `taken_over` names dead holders whose locks it replaced."""

    def __init__(self, storage: Storage, ref: StackReference, taken_over: tuple[LockHolder, ...]) -> None:
        self.taken_over = taken_over
        self._storage = storage
        self._ref = ref
        self._path = f"{lock_folder(ref)}/{uuid.uuid4()}.json"
        self._content = lock_content()
        self._beaten = time.time()
        self._ended = threading.Event()
        self._lost = False

    @classmethod
    def acquire(cls, storage: Storage, ref: StackReference) -> Lease:
        """Takes the lock of a stack.

        Raises:
            LockedError: somebody who may be alive holds it.
        """
        folder = lock_folder(ref)
        with storage.exclusive(folder):
            found = holders(storage, ref)
            _refuse(storage, ref, [holder for holder in found if holder.alive is not False])
            for dead in found:
                storage.delete(dead.path)
            lease = cls(storage, ref, tuple(found))
            lease._write()
            # Others look for locks before and after they write theirs, without our exclusion: so do we.
            if others := [holder for holder in holders(storage, ref) if holder.path != lease._path]:
                storage.delete(lease._path)
                _refuse(storage, ref, others)
        threading.Thread(target=lease._beat, name="heartbeat", daemon=True).start()
        return lease

    def check(self, thoroughly: bool = False) -> None:
        """`LockedError` when the lock was broken or has expired; looks at the storage only when asked to, or late."""
        if thoroughly or time.time() - self._beaten > EXPIRY / 2:
            self._lost = self._lost or self._storage.read(self._path) is None
        if self._lost:
            raise LockedError(
                f"the lock of stack {self._ref.stack!r} was broken while this command held it",
                hint="what it did is in the journal and will be folded; see who works on the stack, then repeat it",
            )

    def release(self) -> None:
        """Gives the lock back."""
        self.stop()
        self._storage.delete(self._path)

    def stop(self) -> None:
        """Stops the heartbeat and leaves the lock where it is, for whoever finishes what this process could not."""
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            try:
                with self._storage.exclusive(lock_folder(self._ref)):
                    if self._ended.is_set():
                        return
                    if self._storage.read(self._path) is None:
                        self._lost = True
                        return
                    self._write()
            except DataopsError:
                # A full disk now may be a free one at the next beat; if not, the lease expires as it should.
                continue

    def _write(self) -> None:
        content: dict[str, Any] = {**self._content, "heartbeat": time_to_json(datetime.now(UTC))}
        self._storage.write(self._path, json.dumps(content).encode(), durable=False)
        self._beaten = time.time()


def _refuse(storage: Storage, ref: StackReference, others: list[LockHolder]) -> None:
    if others:
        doubt = "" if others[0].alive else "; whether it is still at work cannot be known from here"
        raise LockedError(
            f"stack {ref.stack!r} is locked by {others[0]}{doubt}",
            where=storage.describe(others[0].path),
            hint=f"wait until it has ended; if it is gone for good: dataops stack cancel {ref.stack}",
            details="\n".join(str(other) for other in others[1:]) or None,
        )
