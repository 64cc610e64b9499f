"""Locks that are leases: others respect them, and a dead holder is told from a live one.

A lock is a small JSON document in a storage. It says so much about its holder's process that, on the same machine, a
dead one is known by it; elsewhere its heartbeat tells, by the clock of the storage. A dead holder's lock is taken over
by writing over exactly what was read, so that a holder who was merely slow and renews it, and whoever takes it over,
cannot both succeed.

Both the lock of a stack (`lock.py`) and that of an environment (`dataops.envs.lock`) are such leases.
"""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from dataops.infra.errors import DataopsError, LockedError
from dataops.infra.state.holder import EXPIRY, LockHolder, lock_content, read_holder
from dataops.infra.state.storage import Storage
from dataops.infra.state.timestamps import time_to_json

BEAT = 10.0
"""Seconds between renewals."""

ATTEMPTS = 6
"""How often somebody tries who met another at the very moment of locking, before it is refused."""


@dataclass(frozen=True, slots=True)
class LockPlace:
    """Where the locks of one thing lie.

    Args:
        folder: where.
        name: the file of the only lock; "" where every holder has a `*.json` of its own in the folder, as the Pulumi
            CLI does it, and whoever finds another one there keeps away.
    """

    folder: str
    name: str = ""

    def path(self, file: str) -> str:
        """The name of a file in the folder."""
        return f"{self.folder}/{file}" if self.folder else file

    def files(self, storage: Storage) -> list[str]:
        """The locks that may be there."""
        if self.name:
            return [self.path(self.name)]
        return [self.path(name) for name in storage.names(self.folder) if name.endswith(".json")]

    def own(self) -> str:
        """Where a new holder writes."""
        return self.path(self.name or f"{uuid.uuid4()}.json")


def holders(storage: Storage, place: LockPlace, but: str = "") -> list[LockHolder]:
    """All locks of a thing, as they are now, `but` one."""
    now, found = storage.now(), []
    for path in place.files(storage):
        if path != but and (data := storage.read(path)) is not None:
            holder = read_holder(path, data, now)
            # Where there is one lock only, all who write it write it whole: what cannot be read is nobody's.
            found.append(replace(holder, alive=False) if place.name and not holder.pid else holder)
    return found


def _uptime() -> float:
    """Seconds that pass while the machine sleeps, too, and that nobody sets back."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Lease:
    """A lock that this process holds; `taken_over` names the dead holders whose locks it replaced."""

    def __init__(
        self, storage: Storage, place: LockPlace, subject: str, content: Mapping[str, Any], beat: float
    ) -> None:
        self.taken_over: tuple[LockHolder, ...] = ()
        self.content = content
        self._storage = storage
        self._place = place
        self._subject = subject
        self._path = place.own()
        self._written = b""
        self._beaten = 0.0
        self._seconds = beat
        self._renewing = threading.Lock()
        self._ended = threading.Event()
        self._lost = False
        self._met = False

    @classmethod
    def acquire(
        cls,
        storage: Storage,
        place: LockPlace,
        subject: str,
        refusal: Callable[[list[LockHolder]], LockedError],
        command: str = "",
        beat: float = BEAT,
    ) -> Lease:
        """Takes a lock.

        Args:
            storage, place: where it lies.
            subject: what is locked, for messages, such as `stack 'dev'`.
            refusal: the error that says who holds it.
            command: what the holder does.
            beat: seconds between renewals.

        Raises:
            LockedError: somebody who may be alive holds it.
        """
        lease = cls(storage, place, subject, lock_content(storage.now(), command), beat)
        others: list[LockHolder] = []
        for _ in range(ATTEMPTS):
            with storage.exclusive(place.folder):
                ours, others = lease._take()
            if ours:
                threading.Thread(target=lease._beat, name="heartbeat", daemon=True).start()
                return lease
            if others and not lease._met:
                break
            # Two who came at the same moment have both stepped back: the one who waits less gets it.
            time.sleep(random.uniform(0.02, 0.3))
        raise refusal(others)

    def _take(self) -> tuple[bool, list[LockHolder]]:
        """Tries to take it: whether it is ours, else who is in the way; `_met` when they came at the same moment."""
        self._met = False
        found = holders(self._storage, self._place)
        if living := [holder for holder in found if holder.alive is not False]:
            return False, living
        self._met = True
        self._written = self._renewed()
        for dead in found:
            if not self._storage.replace(dead.path, self._written, dead.content, durable=False):
                return False, holders(self._storage, self._place)
        overwritten = [holder.path for holder in found]
        if self._path not in overwritten and not self._storage.replace(self._path, self._written, None, durable=False):
            return False, holders(self._storage, self._place)
        self._beaten = _uptime()
        for path in overwritten:
            if path != self._path:
                self._storage.delete(path)
        self.taken_over += tuple(found)
        # Others look for locks before and after they write theirs, without our exclusion: so do we.
        others = holders(self._storage, self._place, but=self._path)
        if others:
            self._storage.delete(self._path)
        return not others, others

    def check(self, thoroughly: bool = False) -> None:
        """`LockedError` when the lock was broken or taken over.

        Looks at the storage only when asked to, or when the lock was not renewed for so long that it may have expired.
        """
        if not self._lost:
            if _uptime() - self._beaten > EXPIRY / 2:
                self._renew()
            elif thoroughly:
                self._lost = self._found() is None
        if self._lost:
            raise LockedError(
                f"the lock of {self._subject} was broken while this command held it",
                hint="what it did is in the journal and will be folded; see who works on it, then repeat it",
            )

    def release(self) -> None:
        """Gives the lock back."""
        self.stop()
        with self._storage.exclusive(self._place.folder):
            if not self._place.name or self._found() is not None:
                self._storage.delete(self._path)

    def stop(self) -> None:
        """Stops the heartbeat and leaves the lock where it is, for whoever finishes what this process could not."""
        self._ended.set()

    def _found(self) -> bytes | None:
        """The lock as it lies there, None when it is gone or somebody else's."""
        data = self._storage.read(self._path)
        return data if data is not None and f'"{self.content["token"]}"'.encode() in data else None

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds) and not self._lost:
            try:
                with self._storage.exclusive(self._place.folder):
                    if not self._ended.is_set():
                        self._renew()
            except DataopsError:
                # A full disk now may be a free one at the next beat; if not, the lease expires as it should.
                continue

    def _renew(self) -> None:
        with self._renewing:
            began, renewed = _uptime(), self._renewed()
            if self._storage.replace(self._path, renewed, self._written, durable=False):
                self._written, self._beaten = renewed, began
            else:
                self._lost = True

    def _renewed(self) -> bytes:
        beat = time_to_json(datetime.fromtimestamp(self._storage.now(), UTC))
        return json.dumps({**self.content, "heartbeat": beat}).encode()
