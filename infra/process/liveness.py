"""Whether an environment's processes run at all, told from its files without asking any of them."""

from __future__ import annotations

import os
from pathlib import Path


def supervisor_runs(directory: Path) -> bool:
    """Whether the supervisor of a directory runs: after a restart of the machine, or when it was killed, it does not.

    A process id that somebody else was given since is not taken for it.
    """
    try:
        pid = int((directory / "supervisord.pid").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not Path("/proc/self").exists():
        from dataops.infra.process.processes import works_in

        return works_in(pid, directory)
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", directory)
    except OSError:
        return False
