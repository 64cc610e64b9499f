"""One attempt of a step: a process of `step_shim.py`, seen from the process that runs the pipeline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dataops.infra.platform.records import unwritable
from dataops.infra.platform.run_plan import StepPlan

SHIM = Path(__file__).with_name("step_shim.py")

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended.

    Args:
        exit: the exit status, negative for a signal; None when there was no process or nobody knows.
        why: `ended`, `timeout`, `stopped`, `lost` (whoever watched over it was killed) or `unstartable`.
        problem: why it could not be started.
    """

    exit: int | None
    why: str
    problem: str = ""


class Attempt:
    """A running attempt. `fileno` becomes readable when it has something to tell; then call `ending`."""

    def __init__(
        self,
        step: StepPlan,
        directory: Path,
        variables: Mapping[str, str],
        log: Path,
        held: Sequence[int],
        grace: float,
    ) -> None:
        """Starts it.

        Args:
            step: what runs, and its limits.
            directory, variables: where and with which variables, all of them.
            log: where it prints to.
            held: descriptors of locks that are held until nothing of the step is left.
            grace: see `GRACE`.

        Raises:
            ResourceError: the log cannot be written.
        """
        self.step = step
        self.pid = 0
        self._heard = b""
        specification = {
            "command": list(step.command),
            "timeout": step.timeout,
            "grace": grace,
            "memory": step.memory,
            "cpu_time": step.cpu_time,
            "open_files": step.open_files,
            "log": str(log),
            "log_bytes": step.log,
        }
        with _open_log(log) as stream:
            # Variables are handed over as such: arguments can be read by every user of the machine.
            self._shim = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SHIM)],
                cwd=directory,
                env=dict(variables),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                pass_fds=tuple(held),
                start_new_session=True,
            )
        assert self._shim.stdin and self._shim.stdout
        self._lifeline, self._answers = self._shim.stdin, self._shim.stdout
        try:
            self._lifeline.write(json.dumps(specification).encode() + b"\n")
            self._lifeline.flush()
        except BrokenPipeError:  # it was killed already, which its silence will tell
            pass

    def fileno(self) -> int:
        """What to wait for."""
        return self._answers.fileno()

    def ending(self) -> Ending | None:
        """How it ended; None while it has not. Reads what is there, so call it when there is something."""
        piece = os.read(self._answers.fileno(), 65536)
        self._heard += piece
        *lines, self._heard = self._heard.split(b"\n")
        answers: list[dict[str, Any]] = [json.loads(line) for line in lines]
        for answer in answers:
            self.pid = answer.get("pid", self.pid)
            if "error" in answer:
                return self._close(Ending(None, "unstartable", answer["error"]))
            if "exit" in answer:
                return self._close(Ending(answer["exit"], answer["why"]))
        if piece:
            return None
        self._kill_group()
        return self._close(Ending(None, "lost"))

    def stop(self) -> None:
        """Asks the step to end; after the grace it is killed with everything that it started."""
        try:
            self._lifeline.close()
        except BrokenPipeError:
            pass

    def kill(self) -> None:
        """Ends it at once."""
        self.stop()
        self._shim.kill()
        self._kill_group()
        self._close(Ending(None, "lost"))

    def _kill_group(self) -> None:
        if self.pid:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass

    def _close(self, ending: Ending) -> Ending:
        self.stop()
        self._answers.close()
        self._shim.wait()
        return ending


def _open_log(log: Path) -> IO[bytes]:
    try:
        # what a step prints may be anything: it is for the owner of the environment alone
        return open(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise unwritable(log, error) from error
