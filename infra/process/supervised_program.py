"""What a supervisor is told: the program that it keeps running, and its own configuration."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import ResourceError
from dataops.infra.process.programs import LaunchSpecification

PROGRAM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class SupervisedProgram:
    """A program that is kept running.

    Args:
        name: letters, digits, `_`, `.` and `-`.
        launch: how it is started.
        log: file for what it prints, rotated at 10 MB, three old ones kept.
        stop_signal: how it is asked to end; after `stop_seconds` it and its children are killed.
        stop_children: send the signal to its children as well, for programs that would not pass it on.
        retries: how often it is tried again when it ends within a second, with growing pauses.
    """

    name: str
    launch: LaunchSpecification
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: int = 10
    stop_children: bool = False
    retries: int = 3

    def to_ini(self) -> str:
        """The program as supervisord reads it."""
        settings = {
            "command": f"{shlex.quote(sys.executable).replace('%', '%%')} -I -S launch.py programs/{self.name}.json",
            "autostart": "true",
            "autorestart": "true",
            "startsecs": "1",
            "startretries": str(self.retries),
            "stopsignal": self.stop_signal.name.removeprefix("SIG"),
            "stopwaitsecs": str(self.stop_seconds),
            "stopasgroup": "true" if self.stop_children else "false",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": str(self.log),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": "3",
        }
        return f"[program:{self.name}]\n" + "".join(f"{key}={value}\n" for key, value in settings.items())


def check_program_name(name: str) -> None:
    """Makes sure that a name can be a program's: it becomes part of paths.

    Raises:
        ResourceError: it cannot.
    """
    if not PROGRAM_NAME.fullmatch(name):
        raise ResourceError(f"{name!r} cannot name a program", hint="use letters, digits, '_', '.' and '-'")


def configuration(name: str, socket: str, programs: Sequence[str] = ("*",)) -> str:
    """The text of `supervisord.conf`.

    Args:
        name: the environment's; it becomes the supervisor's identifier.
        socket: where it listens, relative to its directory if that is possible.
        programs: the names of those that it starts with; by default all that it was told to keep.
    """
    identifier = re.sub(r"[^A-Za-z0-9_.-]", "-", name) or "dataops"
    user = "user=root\n" if os.geteuid() == 0 else ""
    # relative paths throughout: supervisord expands `%` in values twice, so that no absolute one is safe
    return (
        f"[unix_http_server]\nfile={socket}\nchmod=0700\n"
        f"[supervisord]\nidentifier={identifier}\ndirectory=.\nlogfile=supervisord.log\n"
        f"logfile_maxbytes=1MB\nlogfile_backups=1\npidfile=supervisord.pid\nchildlogdir=.\n"
        f"umask=022\nnocleanup=true\n{user}"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
        f"[include]\nfiles = {' '.join(f'conf.d/{program}.ini' for program in programs)}\n"
    )
