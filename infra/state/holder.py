"""Who this process is, and whether the process that a lock names is still there."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from dataops.infra.process.identity import user_name
from dataops.infra.state.resource_json import time_from_json, time_to_json

EXPIRY = 60.0
"""Seconds after its last heartbeat at which a lock of ours is void."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What tells this machine, its current run and its process numbers from others."""

    host: str
    boot: str
    namespace: str


@cache
def this_machine() -> Machine:
    """The machine that this process runs on."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        import psutil

        boot, namespace = str(int(psutil.boot_time())), ""
    return Machine(socket.gethostname(), boot, namespace)


def process_start(pid: int) -> float | None:
    """When a process was started, in seconds since 1970; None when there is no such process, or only its remains.

    Not a number when it may not be asked for.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except (psutil.NoSuchProcess, psutil.ZombieProcess, ValueError, OverflowError):
        return None
    except psutil.AccessDenied:
        return math.nan


def lock_content() -> dict[str, Any]:
    """A lock of this process: the CLI's four fields, then those that only we read."""
    machine, now = this_machine(), time_to_json(datetime.now(UTC))
    return {
        "pid": os.getpid(),
        "username": user_name(),
        "hostname": machine.host,
        "timestamp": now,
        "bootId": machine.boot,
        "pidNamespace": machine.namespace,
        "processStart": process_start(os.getpid()),
        "heartbeat": now,
    }


def holder_alive(content: Mapping[str, Any]) -> bool | None:
    """Whether the holder of a lock still holds it; None when that cannot be known from here."""
    machine = this_machine()
    if "heartbeat" in content and seconds_since(content["heartbeat"]) > EXPIRY:
        return False
    if content.get("hostname") != machine.host:
        return None
    ours = "bootId" in content
    if ours and content["bootId"] != machine.boot:
        return False
    if ours and content.get("pidNamespace", "") != machine.namespace:
        return None
    started = process_start(int(content.get("pid", 0)))
    if started is None:
        return False
    if math.isnan(started):
        return None
    if ours:
        return abs(started - float(content.get("processStart") or 0)) < 2
    # The CLI's lock has no start time: a process that began after the lock was made has merely the same number.
    return seconds_since(content.get("timestamp", "")) <= time.time() - started + 1


def seconds_since(text: Any) -> float:
    """Seconds since a time in JSON form; 0 when it is none, so that a lock with a damaged time is not broken."""
    try:
        return time.time() - time_from_json(str(text)).timestamp()
    except ValueError:
        return 0.0
