"""What a killed update left behind, and how a deployment becomes the stack's newest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataops.infra.errors import VerificationError
from dataops.infra.state.backend import LostJournal, StackReference
from dataops.infra.state.checkpoint import Checkpoint, checkpoint_bytes, digest
from dataops.infra.state.fold import Fold
from dataops.infra.state.history import add_history
from dataops.infra.state.journal_log import JournalContents, JournalWriter, journal_bytes, read_journal
from dataops.infra.state.resource_json import time_from_json
from dataops.infra.state.storage import Storage


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

    def marked(self, ref: StackReference) -> bytes:
        """The journal with the mark that it has been folded into the checkpoint of `deployment`."""
        contents = self.contents
        if contents is None:
            return b""
        folded = {"folded": digest(checkpoint_bytes(ref.qualified, self.deployment))}
        return journal_bytes(contents.header, (*contents.entries, folded))

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
    data = storage.read(name)
    if data is None:
        return Leftover(name, checkpoint.deployment)
    try:
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
) -> int:
    """Makes a deployment the stack's newest, adds `record` to the history and removes the journal.

    Returns:
        the number of updates in the history, 0 without a record.
    """
    data = checkpoint_bytes(ref.qualified, deployment)
    if journal is not None and journal.started:
        journal.sync(journal.add({"folded": digest(data)}))
    name = old.name.removesuffix(".gz").removesuffix(".zst")
    storage.write(f"{old.name}.bak", old.data, durable=False)
    storage.write(name, data)
    if old.name != name:
        storage.delete(old.name)
    version = 0 if record is None else add_history(storage, ref, record, data)
    if journal is not None:
        journal.close()
        if journal.started:
            storage.delete(f"{name}.journal")
    return version


def lost_journals(storage: Storage, path: str, checkpoint: Checkpoint | None) -> list[LostJournal]:
    """The lost journal beside a checkpoint, then those that were set aside."""
    folder, _, file = path.rpartition("/")
    aside = [f"{folder}/{n}" for n in storage.names(folder) if n.startswith(f"{file}.journal.") and n.endswith(".lost")]
    in_the_way = checkpoint is None or find_leftover(storage, path, checkpoint).lost
    found = []
    for name in ([f"{path}.journal"] if in_the_way else []) + aside:
        if (data := storage.read(name)) is not None:
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
