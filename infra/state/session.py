"""One update of a stack: what it starts from, what it records, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from dataops.infra.resources.state import Deployment
from dataops.infra.resources.values import Properties
from dataops.infra.state.journal import JournalEntry


class UpdateSession(Protocol):
    """An update in progress. Leaving the `with` block without `finish` folds what was recorded and frees the lock."""

    @property
    def base(self) -> Deployment:
        """The deployment that the update starts from; indices of journal entries count in it."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know: a leftover journal was folded, a dead holder's lock was taken over."""
        ...

    def append(self, entry: JournalEntry) -> None:
        """Records an entry; returns when it is on disk, unless it is not durable. May be called from many threads."""
        ...

    def rewrite_base(self, deployment: Deployment) -> None:
        """Replaces the base before anything else is appended (Pulumi's `Write`)."""
        ...

    def rebase(self) -> Deployment:
        """Makes what was recorded so far the base (after the refresh of `up --refresh`) and returns it."""
        ...

    def deployment(self) -> Deployment:
        """The base with all that was recorded since."""
        ...

    def outputs(self) -> Properties:
        """The stack's outputs in `deployment()`, without the cost of all the rest."""
        ...

    def finish(
        self,
        result: str,
        changes: Mapping[str, int],
        *,
        message: str = "",
        environment: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> int:
        """Folds everything into the checkpoint, writes the history and frees the lock.

        Args:
            result: `succeeded` or `failed`.
            changes: steps by kind, as the summary event has them.
            config: the values that the program saw, as text or `Secret` text, or as they are in Pulumi.<stack>.yaml.

        Returns:
            the update's version: 1 for the stack's first.
        """
        ...

    def __enter__(self) -> UpdateSession: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
