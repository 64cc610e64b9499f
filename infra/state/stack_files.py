"""The files of one stack in a storage: its checkpoint, and the journal that a killed update left beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from dataops.infra.errors import ConfigurationError, DataopsError, LockedError, VerificationError
from dataops.infra.state.backend import StackReference, not_found
from dataops.infra.state.checkpoint import SUFFIXES, Checkpoint, read_checkpoint
from dataops.infra.state.history import history_files
from dataops.infra.state.journal_log import JournalWriter
from dataops.infra.state.lease import Lease
from dataops.infra.state.leftover import Leftover, commit, find_leftover
from dataops.infra.state.lock import lock_stack
from dataops.infra.state.meta import STACKS
from dataops.infra.state.repair import certain, restore
from dataops.infra.state.storage import Storage


class StackFiles:
    """One stack's files. `suffix` is that of the compression that checkpoints are written with."""

    def __init__(self, storage: Storage, ref: StackReference, suffix: str) -> None:
        self.path = f"{STACKS}/{ref.project}/{ref.stack}.json"
        self.journal = f"{self.path}.journal"
        self.tags = f"{STACKS}/{ref.project}/{ref.stack}.pulumi-tags"
        self._storage = storage
        self._ref = ref
        self._suffix = suffix

    def checkpoint(self) -> Checkpoint:
        """The checkpoint; `NotFoundError` when there is no such stack, `VerificationError` when it is damaged."""
        found = read_checkpoint(self._storage, self.path)
        if found is None:
            raise not_found(self._ref)
        return found

    def leftover(self, checkpoint: Checkpoint) -> Leftover:
        """The journal beside the checkpoint, folded in memory."""
        return find_leftover(self._storage, self.path, checkpoint)

    @contextmanager
    def locked(self) -> Iterator[Lease]:
        """Holds the stack's lock; `LockedError` when somebody else does."""
        lease = lock_stack(self._storage, self._ref)
        try:
            yield lease
        finally:
            lease.release()

    def settled(self, even_if_lost: bool = False) -> tuple[Checkpoint, Leftover]:
        """Folds what a killed update left, under the lock; gives the checkpoint as it is then, and what was folded.

        Raises:
            VerificationError: there is a lost journal, unless `even_if_lost`.
        """
        checkpoint = self.checkpoint()
        leftover = self.leftover(checkpoint)
        if leftover.lost:
            if not even_if_lost:
                raise leftover.error(self._ref)
            return checkpoint, leftover
        if leftover.record is not None:
            # Marked first, so that a crash between the fold and the removal is not taken for a lost journal.
            leftover.mark(self._storage, self._ref, self._suffix)
            self.commit(checkpoint, leftover.deployment, None, leftover.record)
        if leftover.finished:
            self._storage.delete_log(leftover.name)
        return (self.checkpoint() if leftover.record is not None else checkpoint), leftover

    def commit(
        self,
        old: Checkpoint,
        deployment: Mapping[str, Any],
        journal: JournalWriter | None,
        record: Mapping[str, Any] | None,
    ) -> int:
        """Makes a deployment the newest; see `leftover.commit`."""
        return commit(self._storage, self._ref, old, deployment, journal, record, self._suffix)

    def mend(self) -> tuple[str, ...]:
        """Puts a checkpoint back that was cut off, where that certainly loses nothing; says so. Under the lock."""
        try:
            self.checkpoint()
        except VerificationError:
            if (copy := certain(self._storage, self._ref, self.path)) is None:
                raise
            done = restore(self._storage, self._ref, self.path, copy)
            return (
                f"the checkpoint was cut off after {done.size} bytes and has been put back from its copy in "
                f"{done.copies[0].path}; the damaged file is kept in {done.aside}",
            )
        return ()

    def tidy(self) -> None:
        """Folds what a killed update left, if nobody is at work on the stack and the storage allows it."""
        if not self._has_journal():
            return
        with suppress(LockedError, ConfigurationError), self.locked():
            self.mend()
            self.settled(even_if_lost=True)

    def obstacle(self) -> VerificationError | None:
        """What an update would be refused with: a lost journal."""
        found = self.leftover(self.checkpoint()) if self._has_journal() else None
        return found.error(self._ref) if found and found.lost else None

    def view(self) -> Mapping[str, Any]:
        """The newest deployment, with what an update in progress or a killed one has recorded."""
        with suppress(DataopsError):
            self.tidy()
        try:
            checkpoint = self.checkpoint()
        except VerificationError:
            with self.locked():
                self.mend()
            checkpoint = self.checkpoint()
        leftover = self.leftover(checkpoint)
        return checkpoint.deployment if leftover.lost else leftover.deployment

    def _has_journal(self) -> bool:
        folder, _, file = self.journal.rpartition("/")
        return bool({file, f"{file}/"}.intersection(self._storage.names(folder, beginning=file)))

    def remove(self) -> None:
        """Removes checkpoint, tags and history; a lost journal stays."""
        folder, _, file = self.path.rpartition("/")
        ends = {form + end for form in SUFFIXES for end in ("", ".bak", ".attrs", ".bak.attrs")}
        for name in self._storage.names(folder, beginning=file):
            if name.removeprefix(file) in ends:
                self._storage.delete(f"{folder}/{name}")
        for end in ("", ".attrs"):
            self._storage.delete(self.tags + end)
        for name in history_files(self._storage, self._ref):
            self._storage.delete(name)
