"""The program: what to run, and the process that runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from dataops.infra.errors import ConfigurationError, ProgramError
from dataops.infra.providers.protocol import GRPC_VARIABLES

Say = Callable[[str, str], None]
"""Receives a line of the program and its severity."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run.

    Args:
        project: the project's name.
        root: the folder of `Pulumi.yaml`.
        main: the file or folder to run.
        python: the interpreter to run it with.
    """

    project: str
    root: Path
    main: Path
    python: Path = Path(sys.executable)

    @property
    def folder(self) -> Path:
        """The folder that the program runs in."""
        main = self.main if self.main.is_absolute() else self.root / self.main
        return main if main.is_dir() else main.parent

    @property
    def path(self) -> Path:
        """What is run."""
        return self.main if self.main.is_absolute() else self.root / self.main

    def uses_dynamic_providers(self) -> bool:
        """Whether the program seems to define resources of its own; a guess that only costs time when it is wrong."""
        for file in self.folder.glob("*.py"):
            try:
                if b"dynamic" in file.read_bytes():
                    return True
            except OSError:
                continue
        return False


class RunningProgram(Protocol):
    """A program under way, as far as the engine has to do with it."""

    def start(self, settings: Mapping[str, Any], say: Say, ended: Callable[[], None]) -> None:
        """Starts the program.

        Args:
            settings: what it needs to know, `address` of the engine above all; may hold secrets.
            say: gets what the program prints, from other threads.
            ended: called once when it has ended.
        """
        ...

    def error(self, timeout: float) -> ProgramError | None:
        """Waits for the end, and ends the program if it does not come; None when the program ended well."""
        ...

    def stop(self) -> None:
        """Ends the program and lets go of everything; may be called again."""
        ...


class ProgramProcess:
    """A `RunningProgram` in a process of its own; it loads the SDK at once and starts when it has its settings.

    Args:
        environment: extra variables for the program.
    """

    def __init__(self, program: Program, environment: Mapping[str, str]) -> None:
        if not program.path.exists():
            raise ConfigurationError(f"there is no program at {program.path}", hint="see `main` in Pulumi.yaml")
        if program.path.is_dir() and not (program.path / "__main__.py").exists():
            raise ConfigurationError(f"there is no __main__.py in {program.path}", hint="see `main` in Pulumi.yaml")
        self._program = program
        runner = Path(__file__).with_name("program_runner.py")
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [str(program.python), "-u", str(runner), str(writing)],
                cwd=program.folder,
                env={**_interpreter_environment(program.python), **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[writing],
                start_new_session=True,
            )
        except OSError as error:
            os.close(reading)
            raise ConfigurationError(
                f"cannot run the interpreter {program.python}: {error.strerror}",
                hint="see `runtime.options.virtualenv` in Pulumi.yaml",
            ) from error
        finally:
            os.close(writing)
        self._report = os.fdopen(reading, "rb")
        self._threads: list[threading.Thread] = []
        self._lines = 0

    def start(self, settings: Mapping[str, Any], say: Say, ended: Callable[[], None]) -> None:
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._start(self._forward, self._process.stdout, "info", say)
        self._start(self._forward, self._process.stderr, "info#err", say)
        whole = {
            **settings,
            "main": str(self._program.path),
            "folder": str(self._program.folder),
            "root": str(self._program.root),
        }
        try:
            self._process.stdin.write(json.dumps(whole).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        self._start(self._await_end, ended)

    def error(self, timeout: float) -> ProgramError | None:
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            return None
        self._drain()
        if status == 0:
            return None
        # A process that the program left behind may hold the other end: what there is now is all there will be.
        os.set_blocking(self._report.fileno(), False)
        told = self._report.read()
        if not told:
            return ProgramError(f"the program ended with the exit status {status}", where=str(self._program.path))
        report = json.loads(told)
        return ProgramError(report["what"], where=str(self._program.path), details=report["trace"] or None)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
        self._drain()
        streams = [self._process.stdin, self._report]
        if not any(thread.is_alive() for thread in self._threads):
            streams += [self._process.stdout, self._process.stderr]
        for stream in streams:
            try:
                if stream and not stream.closed:
                    stream.close()
            except BrokenPipeError:
                continue

    def _signal(self, number: int) -> None:
        """Signals the program and what it has started, which is in a session of its own."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _drain(self) -> None:
        """Waits for what the program has printed, but for no process that it left behind with its output open."""
        for thread in self._threads:
            while thread.is_alive():
                before = self._lines
                thread.join(timeout=1)
                if self._lines == before:
                    break

    def _forward(self, stream: IO[bytes], severity: str, say: Say) -> None:
        for line in stream:
            self._lines += 1
            say(line.decode(errors="replace"), severity)

    def _await_end(self, ended: Callable[[], None]) -> None:
        self._process.wait()
        ended()

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, name="program", daemon=True)
        thread.start()
        self._threads.append(thread)


def _interpreter_environment(python: Path) -> dict[str, str]:
    """Our environment, with the interpreter's virtual environment activated."""
    environment = {**GRPC_VARIABLES, **os.environ}
    folder = python.parent.parent
    if (folder / "pyvenv.cfg").exists():
        environment["VIRTUAL_ENV"] = str(folder)
        environment["PATH"] = os.pathsep.join([str(python.parent), environment.get("PATH", "")])
        environment.pop("PYTHONHOME", None)
    return environment
