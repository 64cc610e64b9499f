"""The history of a stack: a record and a copy of the checkpoint for each update."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from dataops.infra.errors import VerificationError
from dataops.infra.state.backend import StackReference, UpdateRecord
from dataops.infra.state.checkpoint import packed, unpacked
from dataops.infra.state.property_json import dump
from dataops.infra.state.storage import Storage


def history_folder(ref: StackReference) -> str:
    """The folder of a stack's history."""
    return f".pulumi/history/{ref.project}/{ref.stack}"


def history_files(storage: Storage, ref: StackReference) -> list[str]:
    """All files of a stack's history, oldest first."""
    return [f"{history_folder(ref)}/{name}" for name in storage.names(history_folder(ref)) if not name.endswith("/")]


def add_history(
    storage: Storage, ref: StackReference, record: Mapping[str, Any], checkpoint: bytes, suffix: str = ""
) -> int:
    """Adds an update and the checkpoint that it led to, compressed as `suffix` says; returns how many there are now."""
    records = _records(storage, ref)
    # Names give the order: a clock that was set back must not put this update before those that came before it.
    stamp = max(time.time_ns(), _stamp(ref, records[-1]) + 1 if records else 0)
    prefix = f"{history_folder(ref)}/{ref.stack}-{stamp}"
    # The checkpoint first: a record without one would promise a deployment that cannot be exported.
    storage.write(f"{prefix}.checkpoint.json{suffix}", checkpoint, durable=False)
    storage.write(f"{prefix}.history.json{suffix}", packed(dump(record).encode(), suffix))
    return len(records) + 1


def annotate(storage: Storage, ref: StackReference, version: int, facts: Mapping[str, str]) -> None:
    """Adds facts to the circumstances of an update; what its record says already stays.

    Args:
        version: the number of the update, counted from 1.
    """
    name = _records(storage, ref)[version - 1]
    data = storage.read(name)
    if data is not None:
        record = json.loads(unpacked(data))
        record["environment"] = {**facts, **(record.get("environment") or {})}
        suffix = name.rpartition(".history.json")[2]
        storage.write(name, packed(dump(record).encode(), suffix))


def move_history(storage: Storage, old: StackReference, new: StackReference) -> None:
    """Gives a stack's history to another name; what that has of its own stays."""
    for name in history_files(storage, old):
        data = storage.read(name)
        file = name.removeprefix(f"{history_folder(old)}/{old.stack}-")
        if data is not None:
            storage.write(f"{history_folder(new)}/{new.stack}-{file}", data)
        storage.delete(name)


def newest_update(storage: Storage, ref: StackReference) -> float:
    """When the newest update was recorded, in seconds since 1970 by its recorder's clock; 0 when there is none."""
    records = _records(storage, ref)
    return _stamp(ref, records[-1]) / 1e9 if records else 0.0


def checkpoint_copies(storage: Storage, ref: StackReference) -> list[str]:
    """The copies of checkpoints in a stack's history, oldest first."""
    return [n for n in history_files(storage, ref) if ".checkpoint.json" in n and not n.endswith(".attrs")]


def _stamp(ref: StackReference, name: str) -> int:
    digits = name.rpartition("/")[2].removeprefix(f"{ref.stack}-").partition(".")[0]
    return int(digits) if digits.isdigit() else 0


def read_history(storage: Storage, ref: StackReference) -> list[UpdateRecord]:
    """The updates of a stack, newest first, counted from 1 as Pulumi's own files do not say their number.

    Raises:
        VerificationError: a record is damaged.
    """
    found = []
    for version, name in enumerate(_records(storage, ref), start=1):
        if (data := storage.read(name)) is not None:
            try:
                found.append(_parse(json.loads(unpacked(data)), version))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise VerificationError(
                    "a record of the stack's history is damaged",
                    where=storage.describe(name),
                    hint="restore that file from a backup, or move it away",
                ) from error
    return found[::-1]


def _records(storage: Storage, ref: StackReference) -> list[str]:
    return [
        n for n in history_files(storage, ref) if n.endswith((".history.json", ".history.json.gz", ".history.json.zst"))
    ]


def _parse(said: Mapping[str, Any], version: int) -> UpdateRecord:
    return UpdateRecord(
        kind=said["kind"],
        start_time=int(said["startTime"]),
        end_time=int(said["endTime"]),
        message=said.get("message") or "",
        environment=dict(said.get("environment") or {}),
        config=dict(said.get("config") or {}),
        result=said["result"],
        version=said.get("version") or version,
        resource_changes=dict(said.get("resourceChanges") or {}),
    )
