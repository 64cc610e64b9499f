"""Who a process is: ids are reused, so a process is known by its id, its start time and the boot it belongs to."""

from __future__ import annotations

import getpass
import os
from pathlib import Path


def boot_id() -> str:
    """The kernel's identity of this boot, "" where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def process_start(pid: int) -> str:
    """When a process was started, in the kernel's own count; "" when there is no such process or it is a zombie."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in ("Z", "X") else rest[18]


def user_name() -> str:
    """Who runs this process, by name where it has one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
