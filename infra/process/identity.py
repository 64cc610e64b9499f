"""Who a process is: ids are reused, so a process is known by its id, its start time and the boot it belongs to."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """What tells this machine, its current run and its process numbers from others.

    Args:
        host: its name, which another machine may bear too.
        installation: the identity of its operating system, "" where it has none.
        boot: the kernel's identity of this boot, "" where there is none.
        namespace: within which process ids count, "" where there are no such namespaces.
    """

    host: str
    installation: str
    boot: str
    namespace: str


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process, on whichever machine; `started` as `process_start` gives it."""

    pid: int
    started: str
    machine: Machine

    @classmethod
    def of_this_process(cls) -> ProcessIdentity:
        """The process that runs this."""
        return cls(os.getpid(), process_start(os.getpid()), this_machine())

    def alive(self) -> bool | None:
        """Whether it is still there, a zombie not counted; None when that cannot be known from here.

        Clocks play no part, so that one which is set back or forth changes nothing.
        """
        here = this_machine()
        if self.machine.host != here.host:
            return None
        if self.machine.boot != here.boot:
            # A machine of the same name, unless it is certain that this one has merely been started again.
            return False if self.machine.installation and self.machine.installation == here.installation else None
        if self.machine.namespace != here.namespace:
            return None
        return process_start(self.pid) == self.started


@cache
def this_machine() -> Machine:
    """The machine that this process runs on."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return Machine(socket.gethostname(), _installation(), boot_id(), namespace)


def boot_id() -> str:
    """The kernel's identity of this boot, "" where there is none."""
    return _line("/proc/sys/kernel/random/boot_id")


def process_start(pid: int) -> str:
    """When a process was started, in the kernel's own count; "" when there is no such process or it is a zombie."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _start_without_proc(pid)
    return "" if state in ("Z", "X") else rest[18]


def process_began(pid: int) -> float | None:
    """When a process was started, in seconds since 1970, as this machine's clock has it now.

    None when there is no such process, or it is a zombie, or it may not be asked for.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except (psutil.Error, ValueError, OverflowError):
        return None


def user_name() -> str:
    """Who runs this process, by name where it has one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _installation() -> str:
    """Hashed, as its makers ask of whoever writes it down."""
    import hashlib

    found = _line("/etc/machine-id") or _line("/var/lib/dbus/machine-id")
    return hashlib.sha256(f"dataops {found}".encode()).hexdigest()[:16] if found else ""


def _start_without_proc(pid: int) -> str:
    began = process_began(pid)
    return "" if began is None else f"{began:.2f}"


def _line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
