"""The history of a stack: a record and a copy of the checkpoint for each update."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from dataops.infra.errors import VerificationError
from dataops.infra.state.backend import StackReference, UpdateRecord
from dataops.infra.state.checkpoint import unpacked
from dataops.infra.state.property_json import dump
from dataops.infra.state.storage import Storage


def history_folder(ref: StackReference) -> str:
    """The folder of a stack's history."""
    return f".pulumi/history/{ref.project}/{ref.stack}"


def history_files(storage: Storage, ref: StackReference) -> list[str]:
    """All files of a stack's history, oldest first."""
    return [f"{history_folder(ref)}/{name}" for name in storage.names(history_folder(ref)) if not name.endswith("/")]


def add_history(storage: Storage, ref: StackReference, record: Mapping[str, Any], checkpoint: bytes) -> int:
    """Adds an update and the checkpoint that it led to; returns how many there are now."""
    prefix = f"{history_folder(ref)}/{ref.stack}-{time.time_ns()}"
    # The checkpoint first: a record without one would promise a deployment that cannot be exported.
    storage.write(f"{prefix}.checkpoint.json", checkpoint, durable=False)
    storage.write(f"{prefix}.history.json", dump(record).encode())
    return len(_records(storage, ref))


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
