"""A command at a terminal: what a person would see, and what they type."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def at_terminal(
    words: Sequence[str], folder: Path, variables: Mapping[str, str], answers: Mapping[str, str]
) -> tuple[int, str]:
    """Runs a command on a pseudo-terminal of 30 lines.

    Args:
        words: the command.
        answers: what is typed when a text appears; each is used once, in order.

    Returns:
        its exit status, and everything that was on the screen.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        list(words),
        cwd=folder,
        env={**variables, "TERM": "xterm", "LINES": "30"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen, pending, at = "", list(answers.items()), 0
    deadline = time.monotonic() + 120
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([ours], [], [], 0.1)
            if ready:
                try:
                    said = os.read(ours, 65536)
                except OSError:  # Linux says so when the other end is closed
                    break
                if not said:
                    break
                seen += said.decode(errors="replace")
            if pending and pending[0][0] in seen[at:]:
                text, answer = pending.pop(0)
                at = seen.index(text, at) + len(text)
                os.write(ours, answer.encode() + b"\n")
        return process.wait(timeout=30), seen
    finally:
        os.close(ours)
        if process.poll() is None:
            process.kill()
            process.wait()
