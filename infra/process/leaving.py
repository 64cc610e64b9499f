"""Ending this process without the destructors of libraries."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def leave_at_once(status: int) -> NoReturn:
    """Ends the process, everything that was printed being out.

    Arrow has threads of its own whatever it is told, and now and then aborts a process that destroys them as it ends:
    "terminate called without an active exception".
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # whoever read it has gone, or closed it
    os._exit(status)
