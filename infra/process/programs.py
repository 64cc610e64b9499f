"""Programs that are kept running: how they are started, and the file that says so."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class LaunchSpecification:
    """How a program is started; written to a file that `launch.py` reads.

    Args:
        command: program and arguments.
        directory: working directory, entered before privileges are dropped.
        variables, variables_file: variables of its environment; the file is a dotenv file, read at every start.
        uid, gid: the user to become, or None to stay.
        death_signal: the signal sent to the program when its parent dies; 0 for none.
        stale_lock: a Postgres lock file to remove when its process is gone; "" for none.
        pid_file: where to note the process id; "" for nowhere.
        parent_file: where the process id of the supervisor is noted; "" for nowhere.
    """

    command: tuple[str, ...]
    directory: str
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables_file: str = ""
    uid: int | None = None
    gid: int | None = None
    death_signal: int = 0
    stale_lock: str = ""
    pid_file: str = ""
    parent_file: str = ""

    def to_json(self) -> str:
        """The specification as `launch.py` reads it."""
        return json.dumps(
            {
                "command": list(self.command),
                "directory": self.directory,
                "variables": dict(self.variables),
                "variablesFile": self.variables_file,
                "uid": self.uid,
                "gid": self.gid,
                "deathSignal": int(self.death_signal),
                "staleLock": self.stale_lock,
                "pidFile": self.pid_file,
                "parentFile": self.parent_file,
            },
            indent=1,
            sort_keys=True,
        )

    def write(self, path: Path) -> None:
        """Writes the specification, readable by its owner only and never half."""
        write_private(path, self.to_json())


def write_private(path: Path, text: str) -> None:
    """Replaces a file by one of mode 0600, at once or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.new")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def text_of(path: Path) -> str | None:
    """The text of a file, None where there is none to be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def launcher_command(specification: Path) -> list[str]:
    """The command that starts what a specification file says."""
    # isolated and without site: a third of the time to start, and nothing of the user's environment is imported
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(specification)]
