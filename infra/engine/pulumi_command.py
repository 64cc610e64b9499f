"""The `pulumi` command: where it is, and how it is run, interrupted and understood."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from dataops.infra.errors import (
    AuthenticationError,
    CancelledError,
    ConfigurationError,
    DataopsError,
    DeadlineError,
    ExpectationError,
    InternalError,
    NotFoundError,
    PolicyError,
    UpdateFailedError,
)

_MEANINGS: dict[int, type[DataopsError]] = {
    2: ConfigurationError,
    3: AuthenticationError,
    5: PolicyError,
    6: NotFoundError,
    7: ExpectationError,
    8: CancelledError,
    9: DeadlineError,
    255: InternalError,
}
"""Exit statuses that the command publishes, 1 and 4 (a step failed) aside."""

_PIP = """
import importlib.util as u, pathlib
if u.find_spec("pip") is None and u.find_spec("ensurepip"):
    import ensurepip
    print(next(map(str, pathlib.Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")), ""))
"""


def find_pulumi(environment: Mapping[str, str]) -> Path:
    """The `pulumi` on PATH.

    Raises:
        ConfigurationError: there is none.
    """
    found = shutil.which("pulumi", path=environment.get("PATH", ""))
    if found is None:
        raise ConfigurationError(
            "there is no `pulumi` on PATH, and the engine `pulumi` is that command",
            hint="install it (https://www.pulumi.com/docs/install/), or use `--engine embedded`, which needs nothing",
        )
    return Path(found)


class InterruptibleCommand(PulumiCommand):
    """`pulumi`, as the Automation API runs it, but ended in order when this process is interrupted.

    It is told by SIGINT to finish what is under way, and a second interrupt ends it at once.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(skip_version_check=True)
        self.command = str(path)
        if self.version is None:
            # One that was built from source does not say: it is taken for as new as the SDK.
            self.version = VersionInfo.parse(version("pulumi"))
        self.last = CommandResult("", "", 0)

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        environment = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        words = [self.command, "--non-interactive", *(word for word in args if word != "--non-interactive")]
        said: tuple[list[str], list[str]] = ([], [])
        with ThreadPoolExecutor(1, "pulumi") as starter:
            # by another thread, since an interrupt reaches this one wherever it is, also before it knows the process
            started = starter.submit(
                subprocess.Popen,
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=environment,
                encoding="utf-8",
                start_new_session=True,
            )
            try:
                process = started.result()
                heard = ((process.stdout, said[0], on_output), (process.stderr, said[1], on_error))
                readers = [threading.Thread(target=_read, args=what, daemon=True) for what in heard]
                for reader in readers:
                    reader.start()
                process.wait()
                for reader in readers:
                    reader.join()
            except KeyboardInterrupt:
                _interrupt(started.result())
                raise
            finally:
                with started.result():
                    pass  # closes its pipes
        self.last = CommandResult("\n".join(said[0]), "\n".join(said[1]), process.returncode)
        if process.returncode:
            raise create_command_error(self.last)
        return self.last


def meaning(last: CommandResult) -> DataopsError:
    """What a failed command means, by its exit status; `UpdateFailedError` when a step or the program failed."""
    lines = [line.strip() for line in f"{last.stdout}\n{last.stderr}".splitlines()]
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    what = told[-1] if told else f"pulumi ended with status {last.code}"
    return _MEANINGS.get(last.code, UpdateFailedError)(what, details=None if told else last.stderr or None)


def virtual_environment(python: Path) -> Path | None:
    """The virtual environment that an interpreter belongs to; None for one of the system."""
    folder = python.absolute().parent.parent
    return folder if (folder / "pyvenv.cfg").is_file() else None


def interpreter_variables(python: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What the command needs in its environment to run programs with an interpreter.

    It lists what is installed with pip; an environment without one gets the one that comes with Python.
    """
    found = {}
    if virtual_environment(python) is None:
        found["PATH"] = os.pathsep.join([str(python.absolute().parent), os.environ.get("PATH", "")])
    asked = subprocess.run([str(python), "-c", _PIP], capture_output=True, text=True, check=False)
    if wheel := asked.stdout.strip():
        before = environment.get("PYTHONPATH") or os.environ.get("PYTHONPATH", "")
        found["PYTHONPATH"] = os.pathsep.join(filter(None, [before, wheel]))
    return found


def _read(stream: Any, lines: list[str], hear: Callable[[str], Any] | None) -> None:
    for line in stream:
        lines.append(line.rstrip())
        if hear is not None:
            hear(lines[-1])


def _interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
