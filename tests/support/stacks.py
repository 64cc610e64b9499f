"""Resources, entries and secrets for tests of the state."""

from __future__ import annotations

from functools import cache
from typing import Any

from dataops.infra.resources.state import ResourceState
from dataops.infra.state.backend import StackReference
from dataops.infra.state.journal import EntryKind, JournalEntry
from dataops.infra.state.passphrase import PassphraseSecrets

REF = StackReference("shop", "dev")
PASSPHRASE = "correct horse battery staple"


@cache
def stack_secrets() -> PassphraseSecrets:
    """One manager for all tests of a process: its key takes a while to derive."""
    return PassphraseSecrets.new(PASSPHRASE)


def urn(name: str, type_: str = "test:index:Thing") -> str:
    return f"urn:pulumi:dev::shop::{type_}::{name}"


def thing(name: str, **fields: Any) -> ResourceState:
    """A custom resource."""
    return ResourceState(**{"urn": urn(name), "type": "test:index:Thing", "custom": True, "id": f"id-{name}", **fields})


def begun(operation: int, state: ResourceState, pending: str = "creating") -> JournalEntry:
    return JournalEntry(EntryKind.BEGIN, operation, "create", state=state, pending=pending)


def done(operation: int, state: ResourceState | None = None, **fields: Any) -> JournalEntry:
    return JournalEntry(EntryKind.SUCCESS, operation, "create", state=state, **fields)
