"""What a killed update left behind, and how a deployment becomes the stack's newest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataops.infra.errors import LockedError, VerificationError
from dataops.infra.state.backend import LostJournal, StackReference
from dataops.infra.state.checkpoint import Checkpoint, checkpoint_bytes, digest, packed
from dataops.infra.state.fold import Fold
from dataops.infra.state.history import add_history
from dataops.infra.state.journal_log import JournalContents, JournalWriter, read_journal, record_line
from dataops.infra.state.storage import Storage
from dataops.infra.state.timestamps import time_from_json


@dataclass(frozen=True, slots=True)
class Leftover:
    """A journal that was found, if any.

    Args:
        name: the journal's name in the storage.
        deployment: the checkpoint's deployment with what the journal adds.
        contents: what the journal holds; None when there is none.
        record: for the history; None when nothing has to be folded.
        finished: there is a journal that is not needed once `record` has been dealt with.
        lost: why it cannot be folded: it extends another checkpoint, or it is damaged; "" if it can.
        notes: what the user should know.
    """

    name: str
    deployment: Mapping[str, Any]
    contents: JournalContents | None = None
    record: Mapping[str, Any] | None = None
    finished: bool = False
    lost: str = ""
    notes: tuple[str, ...] = ()

    def mark(self, storage: Storage, ref: StackReference, suffix: str) -> None:
        """Notes in the journal that it has been folded into the checkpoint of `deployment`."""
        if self.contents is not None:
            folded = {"folded": digest(packed(checkpoint_bytes(ref.qualified, self.deployment), suffix))}
            number = self.contents.records
            storage.extend_log(self.name, self.contents.intact, record_line(number, number - 1, folded))

    def error(self, ref: StackReference) -> VerificationError:
        """What to say when a lost journal is in the way."""
        return VerificationError(
            f"stack {ref.stack!r} has a journal of an update whose outcome is not in its state: {self.lost}",
            where=self.name,
            hint=f"see what it did and set it aside: dataops stack recover --stack {ref.stack}",
        )


def find_leftover(storage: Storage, path: str, checkpoint: Checkpoint) -> Leftover:
    """Looks for a journal beside the checkpoint at `path` and folds it, in memory."""
    name = f"{path}.journal"
    try:
        data = storage.read_log(name)
        if data is None:
            return Leftover(name, checkpoint.deployment)
        contents = read_journal(data, storage.describe(name))
        if not contents.header:
            return Leftover(name, checkpoint.deployment, contents, finished=True)
        if contents.folded == checkpoint.digest:
            return Leftover(name, checkpoint.deployment, contents, finished=True)
        if contents.header["base"] != checkpoint.digest:
            return Leftover(name, checkpoint.deployment, contents, lost="it extends another checkpoint")
        fold = Fold(checkpoint.deployment)
        for entry in contents.entries:
            fold.add(entry)
    except VerificationError as error:
        return Leftover(name, checkpoint.deployment, lost=error.what)
    except (KeyError, ValueError, TypeError) as error:
        return Leftover(name, checkpoint.deployment, lost=f"it cannot be read ({type(error).__name__})")
    return Leftover(name, fold.deployment(), contents, record=_record(contents), finished=True, notes=_notes(contents))


def _notes(contents: JournalContents) -> tuple[str, ...]:
    said = contents.header
    notes = [
        f"the {said['kind']} by {said['holder']} of {said['started']} was interrupted; "
        f"what it had recorded ({len(contents.entries)} entries) has been put into the state"
    ]
    if contents.torn:
        notes.append(f"the last {contents.torn} bytes of its journal were incomplete and have been left out")
    return tuple(notes)


def _record(contents: JournalContents) -> Mapping[str, Any]:
    started = int(time_from_json(contents.header["started"]).timestamp())
    return {
        "kind": contents.header["kind"],
        "startTime": started,
        "message": "interrupted",
        "environment": {"dataops.recovered": "true", "dataops.holder": contents.header["holder"]},
        "config": {},
        "version": 0,
        "result": "failed",
        "endTime": started,
    }


def commit(
    storage: Storage,
    ref: StackReference,
    old: Checkpoint,
    deployment: Mapping[str, Any],
    journal: JournalWriter | None,
    record: Mapping[str, Any] | None,
    suffix: str = "",
) -> int:
    """Makes a deployment the stack's newest, adds `record` to the history and removes the journal.

    Args:
        old: the checkpoint that it follows; `suffix`: how the new one is compressed.

    Returns:
        the number of updates in the history, 0 without a record.

    Raises:
        LockedError: the checkpoint is no longer the old one: somebody broke the lock.
    """
    data = packed(checkpoint_bytes(ref.qualified, deployment), suffix)
    if journal is not None and journal.started:
        journal.sync(journal.add({"folded": digest(data)}))
    plain = old.name.removesuffix(".gz").removesuffix(".zst")
    name = plain + suffix
    storage.write(f"{old.name}.bak", old.data, durable=False)
    if name != old.name:
        storage.write(name, data)
        storage.delete(old.name)
    elif not storage.replace(name, data, old.data):
        raise LockedError(
            f"the state of stack {ref.stack!r} was changed by somebody else while this command was at work on it",
            where=storage.describe(name),
            hint=f"see what this command did, and set that aside: dataops stack recover --stack {ref.stack}",
        )
    version = 0 if record is None else add_history(storage, ref, record, data, suffix)
    if journal is not None:
        journal.close()
        if journal.started:
            storage.delete_log(f"{plain}.journal")
    return version


def lost_journals(storage: Storage, path: str, checkpoint: Checkpoint | None) -> list[LostJournal]:
    """The lost journal beside a checkpoint, then those that were set aside."""
    folder, _, file = path.rpartition("/")
    beside = [name.rstrip("/") for name in storage.names(folder, beginning=f"{file}.journal.")]
    aside = [f"{folder}/{name}" for name in beside if name.endswith(".lost")]
    in_the_way = checkpoint is None or find_leftover(storage, path, checkpoint).lost
    found = []
    for name in ([f"{path}.journal"] if in_the_way else []) + aside:
        if (data := storage.read_log(name, strict=False)) is not None:
            contents = read_journal(data, storage.describe(name), strict=False)
            found.append(_describe(storage.describe(name), contents))
    return found


def _describe(path: str, contents: JournalContents) -> LostJournal:
    resources = []
    for entry in contents.entries:
        state = entry.get("state")
        if state is not None:
            said = entry.get("op") or entry["kind"]
            happened = f"{said} ({entry['kind']})" if entry["kind"] in ("begin", "failure") else said
            resources.append((str(happened), str(state.get("urn", "")), str(state.get("id", ""))))
    header = contents.header
    return LostJournal(
        path=path,
        kind=str(header.get("kind", "")),
        started=str(header.get("started", "")),
        holder=str(header.get("holder", "")),
        base=str(header.get("base", "")),
        resources=tuple(resources),
    )
