"""Running a command to its end, with its output captured and its failure told in terms of what it was for."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import DeadlineError, ResourceError
from dataops.infra.process.environment import child_environment

TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a finished command wrote."""

    stdout: str
    stderr: str


class CommandError(ResourceError):
    """A command could not be started or ended with a status other than 0; `details` has its last lines."""

    def __init__(self, what: str, *, status: int | None, details: str | None = None, hint: str | None = None) -> None:
        super().__init__(what, hint=hint, details=details)
        self.status = status


def last_lines(text: str, count: int = TAIL_LINES) -> str:
    """The last `count` lines of a text that are not blank."""
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-count:])


def printed_by(command: Sequence[str], variables: Mapping[str, str], directory: Path | None = None) -> tuple[int, str]:
    """Runs a command without a shell; its exit status and what it printed, errors where they came.

    Args:
        command: program and arguments.
        variables: all of its variables.
        directory: where it runs.

    Raises:
        OSError: it could not be started.
    """
    done = subprocess.run(
        command,
        cwd=directory,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


def run_command(
    command: Sequence[str | Path],
    *,
    purpose: str,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> CommandResult:
    """Runs a command without a shell and with an environment that inherits no secrets.

    Args:
        command: program and arguments; never secrets, which every user of the machine could read.
        purpose: what it is for, in the words of the error: "uv could not <purpose>" reads well.
        directory: where it runs.
        environment: variables beside the harmless ones that `child_environment` passes on.
        timeout: seconds after which it is killed; None for no limit.

    Raises:
        CommandError: it could not be started or failed.
        DeadlineError: it took longer than `timeout`.
    """
    arguments = [str(part) for part in command]
    program = Path(arguments[0]).name
    try:
        done = subprocess.run(
            arguments,
            cwd=directory,
            env=child_environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeadlineError(f"{program} did not {purpose} within {timeout:g} s") from error
    except OSError as error:
        raise CommandError(
            f"{program} could not be started to {purpose}: {error.strerror}",
            status=None,
            hint=f"is {program} installed?",
        ) from error
    if done.returncode != 0:
        raise CommandError(
            f"{program} could not {purpose} (exit status {done.returncode})",
            status=done.returncode,
            details=last_lines(done.stderr or done.stdout),
        )
    return CommandResult(done.stdout, done.stderr)
