"""An environment's process supervisor: supervisord, detached from the command line that starts it.

`<directory>/` (0700) holds `supervisord.conf`, the programs as `conf.d/<name>.ini` (what supervisord reads) and
`programs/<name>.json` (what `launch.py` reads), `supervisord.pid`, `supervisord.log` and, path length allowing, the
socket. Programs die with supervisord, so killing it leaves nothing behind; starting it again starts them again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from dataops.infra.errors import DeadlineError, ResourceError
from dataops.infra.process.commands import last_lines
from dataops.infra.process.environment import ROOT, child_environment
from dataops.infra.process.processes import (
    command_line,
    end_process,
    runs_program,
    wait_gone,
    wait_until,
    works_in,
)
from dataops.infra.process.programs import LAUNCHER, text_of, write_private
from dataops.infra.process.sockets import fallback_directory, make_private, make_socket_directory, socket_directory
from dataops.infra.process.supervised_program import (
    PROGRAM_NAME,
    SupervisedProgram,
    check_program_name,
    configuration,
)
from dataops.infra.process.supervisor_client import (
    ALREADY_ADDED,
    ALREADY_STARTED,
    BAD_NAME,
    NOT_RUNNING,
    STILL_RUNNING,
    ProgramState,
    SupervisorClient,
)

__all__ = ["PROGRAM_NAME", "SupervisedProgram", "Supervisor"]

SOCKET = "supervisor.sock"
# supervisord first binds a name with its process id behind it
LONGEST_SOCKET = SOCKET + ".4194304"
START_SECONDS = 30.0
STOP_SECONDS = 75.0
PATIENCE = 5.0


class Supervisor:
    """The supervisor of one directory. Methods may be called from several threads and processes at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def socket(self) -> Path:
        """The socket that supervisord listens on."""
        return socket_directory(self.directory, LONGEST_SOCKET) / SOCKET

    @property
    def client(self) -> SupervisorClient:
        """Calls to the running supervisord."""
        return SupervisorClient(self.socket)

    def pid(self) -> int | None:
        """The process id of the running supervisord; None when it does not run."""
        try:
            pid = int((self.directory / "supervisord.pid").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return pid if works_in(pid, self.directory) else None

    def programs(self) -> list[str]:
        """The programs that it was told to keep, whether it runs or not."""
        return sorted(path.stem for path in (self.directory / "conf.d").glob("*.ini"))

    def start(self, name: str = "dataops", only: Sequence[str] = ("*",)) -> None:
        """Starts supervisord, unless it runs, and with it the programs it was last told to keep.

        Args:
            name: the environment's: its identifier, and a mark on every process below it.
            only: starts no other programs than these; `resume` starts the rest.

        Raises:
            ResourceError: it refuses to start; its last words are the details.
            DeadlineError: it did not answer in time.
        """
        make_private(self.directory)
        with self._locked():
            if self.pid() is not None:
                self._wait_for_answer()
                return
            self._end_leftovers()
            for folder in ("conf.d", "programs"):
                (self.directory / folder).mkdir(mode=0o700, exist_ok=True)
            if self.socket.parent != self.directory:
                make_socket_directory(self.socket.parent, self.directory)
            self.socket.unlink(missing_ok=True)
            shutil.copyfile(LAUNCHER, self.directory / "launch.py")
            self._configure(name, only)
            self._spawn(name)
            self._wait_for_answer()

    def resume(self, name: str = "dataops") -> None:
        """Starts every program that it was told to keep and that does not run.

        Raises:
            ResourceError: supervisord does not run or refuses.
        """
        with self._locked():
            self._configure(name)
            self.client.call("reloadConfig")
            for program in self.programs():
                state = self.client.state(program)
                if state is None:
                    self.client.call("addProcessGroup", program, tolerated=(ALREADY_ADDED,))
                elif not state.up:
                    self._start_program(program)

    def begin(self, program: str) -> None:
        """Starts one program that it was told to keep, unless it runs.

        Raises:
            ResourceError: supervisord does not run or refuses.
        """
        with self._locked():
            if self.client.state(program) is None:
                self.client.call("reloadConfig")
                self.client.call("addProcessGroup", program, tolerated=(ALREADY_ADDED,))
            self._start_program(program)

    def _configure(self, name: str, only: Sequence[str] = ("*",)) -> None:
        write_private(self.directory / "supervisord.conf", configuration(name, self._relative(self.socket), only))

    def _relative(self, path: Path) -> str:
        if path.is_absolute() and not path.is_relative_to(self.directory.parent):
            return str(path)
        return os.path.relpath(path, self.directory)

    def _spawn(self, name: str) -> None:
        """Runs supervisord until it has detached itself, which it does once it listens."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", "supervisord.conf"],
            cwd=self.directory,
            # inherited by all that runs below it: what tells the processes of an environment from others
            env=child_environment({"DATAOPS_ENVIRONMENT": name, ROOT: str(self.directory.parent)}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            check=False,
        )
        if done.returncode != 0:
            raise ResourceError(
                f"supervisord refuses to start in {self.directory}", details=last_lines(done.stdout) or None
            )

    def _wait_for_answer(self) -> None:
        wait_until(self.client.answers, START_SECONDS, f"supervisord of {self.directory} did not answer")

    def _end_leftovers(self) -> None:
        """Ends programs of a supervisord that was killed; they die of it themselves, but perhaps not yet."""
        for note in sorted((self.directory / "programs").glob("*.pid")):
            with suppress(OSError, ValueError):
                pid = int(note.read_text(encoding="utf-8"))
                if runs_program(pid, note.with_suffix(".json")):
                    end_process(pid, signal.SIGINT)
            note.unlink(missing_ok=True)

    def stop(self) -> None:
        """Stops every program and supervisord itself; programs that do not listen are killed. None is no error."""
        pid = self.pid()
        if pid is not None:
            with suppress(ResourceError, DeadlineError):  # what does not listen is ended below
                self._stop_programs([state.name for state in self.client.states() if state.pid])
                self.client.call("shutdown")
                wait_gone(pid, PATIENCE)
            end_process(pid, signal.SIGTERM, STOP_SECONDS)
        self._end_leftovers()

    def remove(self) -> None:
        """Stops everything and removes the directory and the socket. Nothing there is no error."""
        if self.directory.exists():
            with self._locked():
                self.stop()
                shutil.rmtree(self.directory)
        shutil.rmtree(fallback_directory(self.directory), ignore_errors=True)

    def put(self, program: SupervisedProgram, *, restart: bool = False) -> None:
        """Makes supervisord keep `program`: adds it, or replaces one of that name that differs, and starts it.

        Args:
            restart: start it anew even if nothing about it differs.

        Raises:
            ResourceError: supervisord does not run or refuses.
        """
        check_program_name(program.name)
        program.log.parent.mkdir(parents=True, exist_ok=True)
        program = replace(
            program,
            launch=replace(
                program.launch,
                pid_file=str(self._file(program.name, "pid")),
                parent_file=str(self.directory / "supervisord.pid"),
            ),
            log=Path(self._relative(program.log)),
        )
        with self._locked():
            same = self._write(program)
            state = self.client.state(program.name)
            if state and same and not restart:
                if not state.up:
                    self._start_program(program.name)
                return
            if state:
                self._stop_programs([program.name])
                self._forget(program.name)
            self.client.call("reloadConfig")
            self.client.call("addProcessGroup", program.name, tolerated=(ALREADY_ADDED,))
            self._start_program(program.name)

    def drop(self, name: str) -> None:
        """Stops a program and forgets it. One that is not known, or a supervisord that is gone, is no error."""
        check_program_name(name)
        if not self.directory.exists():
            return
        with self._locked():
            if self.pid() is not None and self.client.state(name):
                self._stop_programs([name])
                self._forget(name)
            self._file(name, "ini").unlink(missing_ok=True)
            for suffix in ("json", "pid"):
                self._file(name, suffix).unlink(missing_ok=True)

    def halt(self, name: str) -> None:
        """Stops a program that stays known, until `put` or the next start of supervisord. Not running is no error."""
        if not self.directory.exists():
            return
        with self._locked():
            if self.pid() is not None:
                self._stop_programs([name])

    def state(self, name: str) -> ProgramState | None:
        """The state of a program; None when supervisord does not run or does not know it."""
        if self.pid() is None:
            return None
        return self.client.state(name)

    def _start_program(self, name: str) -> None:
        self.client.call("startProcess", name, False, tolerated=(ALREADY_STARTED,))

    def _stop_programs(self, names: Sequence[str]) -> None:
        for name in names:
            self._wait_launched(name)
            self.client.call("stopProcess", name, False, tolerated=(NOT_RUNNING, BAD_NAME))
        # asking again and again also makes supervisord notice at once, rather than at its next tick
        for name in names:
            wait_until(partial(self._is_down, name), STOP_SECONDS, f"the program {name} did not stop")

    def _is_down(self, name: str) -> bool:
        state = self.client.state(name)
        return state is None or state.state in ("STOPPED", "EXITED", "FATAL")

    def _wait_launched(self, name: str) -> None:
        """Waits until a new process is past the moment when it still has supervisord's handlers and loses signals."""
        state, own = self.client.state(name), self.pid()
        if state and state.state == "STARTING" and own:
            with suppress(DeadlineError):
                wait_until(lambda: command_line(state.pid) != command_line(own), PATIENCE, "not launched")

    def _forget(self, name: str) -> None:
        self.client.call("removeProcessGroup", name, tolerated=(BAD_NAME, STILL_RUNNING))

    def _write(self, program: SupervisedProgram) -> bool:
        """Writes both files; whether they were the same already."""
        wanted = {"ini": program.to_ini(), "json": program.launch.to_json()}
        changed = [s for s, text in wanted.items() if text_of(self._file(program.name, s)) != text]
        for suffix in changed:
            write_private(self._file(program.name, suffix), wanted[suffix])
        return not changed

    def _file(self, name: str, suffix: str) -> Path:
        return self.directory / ("conf.d" if suffix == "ini" else "programs") / f"{name}.{suffix}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with open(self.directory / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
