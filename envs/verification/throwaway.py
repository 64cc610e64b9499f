"""A replica that a command makes for itself, and removes whatever happens.

It is registered like any other, with what it is for; its lease is held as long as the command lives. When the command
dies without having removed it, `dataops gc` knows it by that: a purpose, and a lease that nobody alive holds. Its state
lies in its own folder, encrypted under a passphrase of its own: the platform's backend, which others may share, never
hears of it, and whoever verifies needs no credentials.
"""

from __future__ import annotations

import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from dataops.envs.change import Change
from dataops.envs.checkout import Checkout
from dataops.envs.down import remove_held
from dataops.envs.lock import Lease, hold
from dataops.envs.naming import slug
from dataops.envs.phases import PhaseClock
from dataops.envs.registry import EnvironmentRecord, Registry
from dataops.envs.stack import Tools
from dataops.envs.up import UpRequest, held_snapshot, plan, refuse
from dataops.envs.update import make_it_so

PURPOSE = "verify"
LONGEST_BRANCH = 26


def throwaway_name(branch: str) -> str:
    """A name for a replica of a branch that nothing else has."""
    return f"{PURPOSE}-{slug(branch)[:LONGEST_BRANCH].rstrip('-')}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True)
class Throwaway:
    """A replica that is there, and what whoever works on it needs: the platform as it keeps it, and its lease."""

    record: EnvironmentRecord
    checkout: Checkout
    lease: Lease


@contextmanager
def throwaway(
    request: UpRequest, commit: str, checkout: Checkout, tools: Tools, clock: PhaseClock
) -> Iterator[Throwaway]:
    """Brings a replica of a commit up for the duration of the block; at its end nothing of it is left.

    Raises:
        NotFoundError: no snapshot yet.
        ConfigurationError: the branch's `dataops.yaml` is not valid.
        PolicyError: the replica could reach production.
        DataopsError: as `make_it_so`; as `down`.
    """
    name = throwaway_name(request.branch)
    checkout = replace(checkout, apart=checkout.layout.environment(name).root)
    command = f"{PURPOSE} --branch {request.branch}"

    def decide() -> Change:
        return replace(plan(request, name, commit, checkout), command=command, purpose=PURPOSE)

    with hold(checkout.layout.registry, name, command) as lease:
        try:
            with held_snapshot(decide, checkout.layout) as change:
                refuse(change, checkout)
                record = make_it_so(change, checkout, tools, clock, lease).record
            yield Throwaway(record, checkout, lease)
        finally:
            with undisturbed(clock):
                remove(name, checkout, tools, clock, lease)


def remove(name: str, checkout: Checkout, tools: Tools, clock: PhaseClock, lease: Lease) -> None:
    """Removes a throwaway replica whose lease is held; one that was never recorded is no error."""
    registry = Registry(checkout.layout.registry)
    if registry.load(name) is not None:
        remove_held(name, registry, tools, clock, force=True, lease=lease)


@contextmanager
def undisturbed(clock: PhaseClock) -> Iterator[None]:
    """Cleans up without being interrupted again: a second Ctrl-C is told that it is under way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(number: int, frame: object) -> None:
        clock.note("sweep", "removing what was made; this takes a moment")

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
