"""The lock on an environment: a lease, `registry/<environment>.lease`, so that a dead holder is recognised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import LockedError
from dataops.infra.state import lease as leases
from dataops.infra.state.file_storage import FileStorage
from dataops.infra.state.holder import LockHolder

HEARTBEAT = 5.0
"""Seconds between renewals."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease, or held it."""

    held: LockHolder

    @property
    def pid(self) -> int:
        """The process."""
        return self.held.pid

    @property
    def token(self) -> str:
        """Tells two leases of one process apart."""
        return self.held.token

    @property
    def command(self) -> str:
        """What the holder does."""
        return self.held.command

    def alive(self) -> bool:
        """Whether the holder may still be at work; in doubt it is."""
        return self.held.alive is not False

    def describe(self) -> str:
        """`ada@laptop (pid 71) since 2026-05-04T10:12:13.5Z`."""
        return str(self.held)


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that this process holds; `taken_over` is the dead holder it was taken from, if any."""

    taken_over: Holder | None = None


def lease_path(registry: Path, name: str) -> Path:
    """The lease of an environment."""
    return registry / f"{name}.lease"


def holder_of(registry: Path, name: str) -> Holder | None:
    """Who holds an environment's lease, alive or dead; None when it is free."""
    found = leases.holders(FileStorage(registry), _place(name))
    return Holder(found[0]) if found and found[0].pid else None


@contextmanager
def hold(registry: Path, name: str, command: str) -> Iterator[Lease]:
    """Holds an environment's lease for the duration of the block.

    Args:
        registry: the folder of the registry.
        name: the environment.
        command: what is being done, for others to read.

    Raises:
        LockedError: somebody who may be alive holds it.
    """

    def refusal(others: list[LockHolder]) -> LockedError:
        if not others:
            return LockedError(f"others are about to work on environment {name}", hint="run the command again")
        held = others[0]
        return LockedError(
            f"{held} is at work on it: {held.command}",
            where=f"environment {name}",
            hint=f"wait for it to end, or end it with `kill {held.pid}` on {held.host}; "
            f"`dataops env status {name}` shows whether it still holds the lock",
        )

    lease = leases.Lease.acquire(
        FileStorage(registry), _place(name), f"environment {name}", refusal, command, beat=HEARTBEAT
    )
    try:
        yield Lease(Holder(lease.taken_over[0]) if lease.taken_over else None)
    finally:
        lease.release()


def _place(name: str) -> leases.LockPlace:
    return leases.LockPlace("", f"{name}.lease")
