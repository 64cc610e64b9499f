"""What a capture had done when it ended early, so that the next one need not do it again.

    .unfinished-<environment>   records, one for each range and object that was in the store, encrypted

The next capture sees another moment of the database. A range is taken from the record only where the database proves
that its rows are the same: how many they are, and a sum over the place and the inserting transaction of each, which
no change leaves as it was (see `Reader`). Everything else that decides what is stored makes up the *grounds*: server
and timeline, database, schema, rules, keys, addresses that are searched for, and our own version. A record with other
grounds is worth nothing.

Chunks of a record count as used (see `sweep`), for `KEPT_SECONDS`: who does not come back leaves nothing for ever.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from dataops.infra.errors import VerificationError
from dataops.snapshots.chunks import NONCE, ChunkKeys, ChunkRef, derive
from dataops.snapshots.contents import Contents, decode, encode
from dataops.snapshots.lake import CapturedObject
from dataops.snapshots.manifest import (
    MaskedColumn,
    ObjectEntry,
    ProductionReference,
    StoredData,
    TableEntry,
    Unsearched,
)
from dataops.snapshots.ranges import Range
from dataops.snapshots.rows import CapturedTable
from dataops.snapshots.storage.local import LocalStorage, NoRoomError
from dataops.snapshots.tasks import Task
from dataops.snapshots.worker import Answer
from dataops.snapshots.writer import Place

UNFINISHED = ".unfinished-"
KEPT_SECONDS = 3 * 24 * 3600
SETTLING_SECONDS = 1.0
"""After that, a server has on its disk what was committed without waiting for it: see `wal_writer_delay`."""
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Key:
    """Which range or object a record is of."""

    label: str
    part: Range

    @classmethod
    def of(cls, task: Task) -> Key:
        """That of a task."""
        return cls(task.index_label, task.part)


class Unfinished:
    """The record of a capture under way. A context manager, at whose end it stays, unless it is of no use.

    Args:
        place: the store.
        environment: whose capture it is.
        grounds: what the answers depend on beside the rows.
        since: when the database snapshot was taken, by the monotonic clock.
    """

    def __init__(self, place: Place, environment: str, grounds: str, since: float) -> None:
        self._path = place.folder / f"{UNFINISHED}{environment}"
        self._key = derive(place.store_key, "unfinished captures")
        self._storage, self._keys = LocalStorage(place.folder), ChunkKeys(place.store_key)
        self._from = since + SETTLING_SECONDS
        self._waiting: list[tuple[Key, Answer]] = []
        self._grounds = grounds
        self._file: IO[bytes] | None = None
        self._count = 0
        self.known: dict[Key, Answer] = {}

    def __enter__(self) -> Unfinished:
        records = list(_records(self._path, self._key))
        kept = bool(records) and records[0][0] == {"grounds": self._grounds}
        self._file = open(self._path, "r+b" if kept else "wb", opener=_private)
        if kept:
            self._file.seek(records[-1][1])
            self._file.truncate()
            self._count = len(records)
            for record, _ in records[1:]:
                key, answer = _answer(record)
                self.known[key] = answer
        else:
            self._append({"grounds": self._grounds})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._file:
            self._file.close()
        if isinstance(error, (VerificationError, NoRoomError, OSError)):
            self.remove()  # other rules are other grounds, and what fills a disk should not stay there

    def take(self, task: Task, answer: Answer) -> Answer:
        """Records what a task gave, whose chunks are on the disk; gives what was known where nothing has changed.

        What has no proof cannot be used again.
        """
        if answer.unchanged:
            return self.known[Key.of(task)]
        if answer.captured and answer.proof:
            self._waiting.append((Key.of(task), answer))
        if time.monotonic() >= self._from:
            for key, waiting in self._waiting:
                self._append(_record(key, waiting))
            self._waiting.clear()
        return answer

    def expect(self, task: Task) -> Task:
        """The task, with the proof that it need not be done again, if there is one whose chunks are in the store."""
        known = self.known.get(Key.of(task))
        if known is None or known.captured is None or not all(map(self._stored, known.captured.chunks)):
            return task
        return replace(task, proof=known.proof)

    def _stored(self, ref: ChunkRef) -> bool:
        return self._storage.size(self._keys.name(*ref.identity)) == ref.stored

    def remove(self) -> None:
        """Forgets it all: the snapshot exists, or nobody should go on from here."""
        self._path.unlink(missing_ok=True)

    def _append(self, record: dict[str, Any]) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        assert self._file is not None
        nonce = os.urandom(NONCE)
        sealed = nonce + AESGCM(self._key).encrypt(nonce, json.dumps(record).encode(), _LENGTH.pack(self._count))
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._count += 1


def unfinished(store: Path) -> list[Path]:
    """The records that lie in a store; those that are too old are removed."""
    found = []
    for path in sorted(store.glob(f"{UNFINISHED}*")):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                path.unlink()
            else:
                found.append(path)
    return found


def chunks_of(path: Path, store_key: bytes) -> list[ChunkRef]:
    """The chunks that a record is of; none where it cannot be read."""
    records = [record for record, _ in _records(path, derive(store_key, "unfinished captures"))]
    return [ref for record in records[1:] for ref in _chunks(record)]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _records(path: Path, key: bytes) -> Iterator[tuple[dict[str, Any], int]]:
    """The records that are whole, and where each ends; what follows a torn one does not count."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    with suppress(FileNotFoundError), open(path, "rb") as file:
        number = 0
        while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
            sealed = file.read(_LENGTH.unpack(head)[0])
            try:
                plain = AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], _LENGTH.pack(number))
            except (InvalidTag, ValueError):
                return
            yield json.loads(plain), file.tell()
            number += 1


def _record(key: Key, answer: Answer) -> dict[str, Any]:
    captured = answer.captured
    assert captured is not None
    return {
        "label": key.label,
        "range": [key.part.first, key.part.end],
        "proof": answer.proof,
        "entry": asdict(captured.entry),
        "chunks": base64.b64encode(encode(Contents({"": captured.chunks}))).decode(),
        "masking": {label: asdict(column) for label, column in captured.masking.items()},
        "references": [asdict(reference) for reference in answer.references],
        "unsearched": [asdict(part) for part in answer.unsearched],
    }


def _chunks(record: dict[str, Any]) -> tuple[ChunkRef, ...]:
    return decode(base64.b64decode(record["chunks"])).parts[""]


def _answer(record: dict[str, Any]) -> tuple[Key, Answer]:
    entry = {**record["entry"], "data": StoredData(**record["entry"]["data"])}
    masking = {label: MaskedColumn(**column) for label, column in record["masking"].items()}
    captured: CapturedTable | CapturedObject
    if "columns" in entry:
        entry["columns"] = tuple(entry["columns"])
        captured = CapturedTable(TableEntry(**entry), _chunks(record), masking)
    else:
        captured = CapturedObject(ObjectEntry(**entry), _chunks(record), masking)
    references = tuple(ProductionReference(**one) for one in record["references"])
    unsearched = tuple(Unsearched(**one) for one in record["unsearched"])
    return Key(record["label"], Range(*record["range"])), Answer(
        captured, references, unsearched, proof=record["proof"]
    )
