"""What a lock says of its holder, and whether that holder is still there."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dataops.infra.process.identity import Machine, ProcessIdentity, process_began, user_name
from dataops.infra.state.timestamps import time_from_json, time_to_json

EXPIRY = 60.0
"""Seconds after its last renewal at which the lock of a holder on another machine is void."""


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds a lock; `since` is an ISO time, `alive` None when it cannot be known from here.

    Args:
        command: what the holder does, "" where it does not say.
        token: tells two locks of one process apart.
        path: the lock's name in its storage.
        content: the lock as it was read.
    """

    pid: int
    user: str
    host: str
    since: str
    alive: bool | None
    path: str = ""
    command: str = ""
    token: str = ""
    content: bytes = field(default=b"", repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (pid {self.pid}) since {self.since}"


def lock_content(now: float, command: str = "") -> dict[str, Any]:
    """A lock of this process: the CLI's four fields, then those that only we read."""
    me, moment = ProcessIdentity.of_this_process(), time_to_json(datetime.fromtimestamp(now, UTC))
    said = {
        "pid": me.pid,
        "username": user_name(),
        "hostname": me.machine.host,
        "timestamp": moment,
        "installation": me.machine.installation,
        "bootId": me.machine.boot,
        "pidNamespace": me.machine.namespace,
        "processStart": me.started,
        "token": uuid.uuid4().hex,
        "heartbeat": moment,
    }
    return {**said, "command": command} if command else said


def read_holder(path: str, data: bytes, now: float) -> LockHolder:
    """The holder that a lock names."""
    try:
        said = json.loads(data)
        return LockHolder(
            pid=int(said["pid"]),
            user=str(said["username"]),
            host=str(said["hostname"]),
            since=str(said["timestamp"]),
            alive=holder_alive(said, now),
            path=path,
            command=str(said.get("command", "")),
            token=str(said.get("token", "")),
            content=data,
        )
    except (ValueError, KeyError, TypeError):
        return LockHolder(0, "somebody", "an unknown host", "an unknown time", None, path, content=data)


def holder_alive(said: Mapping[str, Any], now: float) -> bool | None:
    """Whether the holder of a lock still holds it; None when that cannot be known from here."""
    texts = (str(said.get(key, "")) for key in ("hostname", "installation", "bootId", "pidNamespace"))
    holder = ProcessIdentity(int(said.get("pid", 0)), str(said.get("processStart", "")), Machine(*texts))
    if "bootId" not in said:
        return _other_program_alive(holder, str(said.get("timestamp", "")))
    alive = holder.alive()
    if alive is None and "heartbeat" in said and _seconds(said["heartbeat"], now) > EXPIRY:
        return False
    return alive


def _other_program_alive(holder: ProcessIdentity, since: str) -> bool | None:
    """As `holder_alive`, for the Pulumi CLI's lock, which has neither boot, nor start of the process, nor heartbeat."""
    here = ProcessIdentity.of_this_process().machine
    if holder.machine.host != here.host:
        return None
    began = process_began(holder.pid)
    if began is None:
        return False
    # A process that began after the lock was made has merely the same number.
    return _seconds(since, time.time()) <= time.time() - began + 1


def _seconds(text: Any, now: float) -> float:
    """Seconds since a time in JSON form; 0 when it is none, so that a lock with a damaged time is not broken."""
    try:
        return now - time_from_json(str(text)).timestamp()
    except ValueError:
        return 0.0
