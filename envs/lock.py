"""The lock on an environment: a lease, so that a dead holder is recognised.

The lease is `registry/<environment>.lease`, JSON that says who holds it; the holder renews its heartbeat. It is taken
over when the holder is proved dead: on this machine because it has rebooted since or the process is gone (a process is
known by its id and its start time, since ids are reused), elsewhere because the heartbeat has stopped. Reading and
writing the lease happens under a short advisory lock on `registry/.guard`, so two takers cannot both succeed.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataops.infra.errors import DataopsError, LockedError
from dataops.infra.platform.records import read_record, write_record
from dataops.infra.process.identity import boot_id, process_start, user_name

HEARTBEAT = 5.0
"""Seconds between renewals."""

EXPIRY = 60.0
"""Seconds without a renewal after which a holder on another machine counts as dead."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease.

    Args:
        token: tells two leases of one process apart.
        pid, started, host, boot: the process; `started` as the kernel counts it, `boot` the kernel's boot id.
        user, command: for people: whose it is and what it does.
        since, heartbeat: seconds since the epoch.
    """

    token: str
    pid: int
    started: str
    host: str
    boot: str
    user: str
    command: str
    since: float
    heartbeat: float

    @classmethod
    def this_process(cls, command: str) -> Holder:
        """The holder that this process is."""
        moment = time.time()
        return cls(
            token=uuid.uuid4().hex,
            pid=os.getpid(),
            started=process_start(os.getpid()),
            host=socket.gethostname(),
            boot=boot_id(),
            user=user_name(),
            command=command,
            since=moment,
            heartbeat=moment,
        )

    def alive(self) -> bool:
        """Whether the holder may still be at work; in doubt it is."""
        if self.host != socket.gethostname():
            return time.time() - self.heartbeat < EXPIRY
        return self.boot == boot_id() and process_start(self.pid) == self.started

    def describe(self) -> str:
        """`ada (pid 71) on laptop since 2026-05-04 10:12:13 UTC`."""
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{self.user} (pid {self.pid}) on {self.host} since {since}"


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that this process holds; `taken_over` is the dead holder it was taken from, if any."""

    holder: Holder
    taken_over: Holder | None = None


def lease_path(registry: Path, name: str) -> Path:
    """The lease of an environment."""
    return registry / f"{name}.lease"


def holder_of(registry: Path, name: str) -> Holder | None:
    """Who holds an environment's lease, alive or dead; None when it is free."""
    document = read_record(lease_path(registry, name))
    if document is None:
        return None
    try:
        return Holder(**document)
    except TypeError:
        return None


@contextmanager
def hold(registry: Path, name: str, command: str) -> Iterator[Lease]:
    """Holds an environment's lease for the duration of the block.

    Args:
        registry: the folder of the registry.
        name: the environment.
        command: what is being done, for others to read.

    Raises:
        LockedError: somebody who is alive holds it.
    """
    lease = _acquire(registry, name, command)
    over = threading.Event()
    beat = threading.Thread(target=_renew, args=(registry, name, lease.holder, over), daemon=True)
    beat.start()
    try:
        yield lease
    finally:
        over.set()
        beat.join()
        with _guard(registry):
            held = holder_of(registry, name)
            if held is not None and held.token == lease.holder.token:
                lease_path(registry, name).unlink(missing_ok=True)


def _acquire(registry: Path, name: str, command: str) -> Lease:
    registry.mkdir(parents=True, exist_ok=True)
    with _guard(registry):
        held = holder_of(registry, name)
        if held is not None and held.alive():
            raise LockedError(
                f"{held.describe()} is at work on it: {held.command}",
                where=f"environment {name}",
                hint=f"wait for it to end, or end it with `kill {held.pid}` on {held.host}; "
                f"`dataops env status {name}` shows whether it still holds the lock",
            )
        mine = Holder.this_process(command)
        _write(registry, name, mine)
        return Lease(mine, taken_over=held)


def _renew(registry: Path, name: str, holder: Holder, over: threading.Event) -> None:
    while not over.wait(HEARTBEAT):
        with _guard(registry):
            held = holder_of(registry, name)
            if held is None or held.token != holder.token:
                return
            with suppress(OSError, DataopsError):  # a full disk: who holds it is known by its process as well
                _write(registry, name, replace(holder, heartbeat=time.time()))


def _write(registry: Path, name: str, holder: Holder) -> None:
    document: dict[str, Any] = asdict(holder)
    write_record(lease_path(registry, name), document)


@contextmanager
def _guard(registry: Path) -> Iterator[None]:
    descriptor = os.open(registry / ".guard", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
