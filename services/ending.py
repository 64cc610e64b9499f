"""Ending whatever pipelines run in an environment, before the environment itself goes or sleeps."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from dataops.infra.process.identity import process_start
from dataops.services.schedules import running_pipelines

PATIENCE = 15.0
"""Seconds for which ended runs may end their steps and write their records."""


def end_runs(root: Path, patience: float = PATIENCE) -> list[str]:
    """Asks every run in the environment at `root` to end, and waits until nothing of them is left.

    A run ends its steps, notes that it was cancelled and exits. Who did not end in time is not waited for any longer.

    Returns:
        The pipelines that ran.
    """
    running = running_pipelines(root)
    for holder in running:
        pid = holder.get("pid")
        if isinstance(pid, int) and holder.get("start") and process_start(pid) == holder["start"]:
            try:
                os.kill(pid, signal.SIGTERM)
            except (ProcessLookupError, PermissionError):
                continue
    deadline = time.monotonic() + patience
    while running and running_pipelines(root) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [str(holder["pipeline"]) for holder in running]
