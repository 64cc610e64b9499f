"""Runs one attempt of a step and leaves nothing of it behind: `python -I -S step_shim.py`.

It stands alone, importing the standard library only, since one is started for every attempt. Its standard input is its
lifeline: the first line is the specification, and the end of the stream means that whoever runs the pipeline is gone or
wants the step to end. Its standard output tells what happened, one JSON object per line; its standard error is the
step's log. Its working directory and variables are the step's.

Specification: `command` [..], `timeout` (seconds or null), `grace` (seconds between SIGTERM and SIGKILL), `memory`
(bytes), `cpu_time` (seconds), `open_files` (each null for no limit), `log` (the log's path), `log_bytes` (how much of
what the step prints is kept, see `Log`).

Answers: `{"pid": n}` once the step runs; then `{"exit": n, "why": "ended"|"timeout"|"stopped"}`, where the exit status
is negative for a signal; or `{"error": "…"}` when the command cannot be started.
"""

import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
F_SETPIPE_SZ = 1031
PIPE = 1 << 20
"""Bytes that a step may be ahead of its log."""
LINE = 4096
"""Bytes that a part of a log may be longer so that it ends with its line."""
LAST_PATIENCE = 5.0
"""Seconds that killed processes have to disappear."""


def main() -> None:
    """Runs the step and says how it ended."""
    specification = json.loads(_first_line())
    # the locks of the run stay open here, so that they are held until the step is gone, but are not the step's business
    for descriptor in range(3, 64):
        try:
            os.set_inheritable(descriptor, False)
        except OSError:
            continue
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake)
    # a parent that ignores the death of children would have the kernel throw away their exit status
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    try:
        child, printed = _start(specification)
    except OSError as error:
        _say({"error": error.strerror or str(error)})
        return
    _say({"pid": child})
    log = Log(specification["log"], specification["log_bytes"], printed)
    why, status = _watch(child, woken, log, specification["timeout"], specification["grace"])
    _end_descendants(child)
    log.take_all()
    _say({"exit": os.waitstatus_to_exitcode(status), "why": why})


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            sys.exit(1)
        line += piece
    return line


def _say(answer: dict[str, Any]) -> None:
    try:
        os.write(1, json.dumps(answer).encode() + b"\n")
    except OSError:  # nobody listens any more
        pass


class Log:
    """Writes what a step prints into its log, of which it keeps the beginning and the end.

    The first half of what is kept stays. After it the log goes on in parts of a quarter: `<log>` is the newest, older
    ones are `<log>.1` and so on, as in every log of an environment; what falls out between them is counted at the end
    of the oldest. A disk that is full costs lines of the log, but does not hold up the step.
    """

    def __init__(self, path: str, kept: int, printed: int) -> None:
        """Args: the file, bytes of it at most, and the pipe that the step prints to."""
        self.printed = printed
        self._path, self._kept = path, kept
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._room, self._left_out = kept // 2, 0
        self._first, self._first_size = self._file, 0
        os.set_blocking(printed, False)

    def take(self) -> bool:
        """Writes what there is; False when the pipe has ended."""
        try:
            text = os.read(self.printed, PIPE)
        except BlockingIOError:
            return True
        rest = text
        while len(rest) >= self._room:
            if self._room:
                end = rest.rfind(b"\n", 0, self._room) + 1 or rest.find(b"\n", self._room, self._room + LINE) + 1
                self._write(rest[: end or self._room])
                rest = rest[end or self._room :]
            if not self._begin_part():
                self._left_out += len(rest)
                return bool(text)
        self._room -= len(rest)
        self._write(rest)
        return bool(text)

    def take_all(self) -> None:
        """Writes what is left when nobody prints any more."""
        while select.select([self.printed], [], [], 0)[0] and self.take():
            pass
        if self._left_out and self._file == self._first:
            self._first_size = os.fstat(self._first).st_size
            self._note()

    def _write(self, text: bytes) -> None:
        try:
            while text:
                text = text[os.write(self._file, text) :]
        except OSError:
            self._left_out += len(text)

    def _begin_part(self) -> bool:
        """Lets the log go on in a new file; whether it can. Of what came after the beginning, the newest part stays."""
        first, newer, fresh = f"{self._path}.2", f"{self._path}.1", f"{self._path}.new"
        self._room = 0
        try:
            file = os.open(fresh, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            if os.path.exists(first):
                self._left_out += os.stat(newer).st_size
            elif os.path.exists(newer):
                os.rename(newer, first)
            os.rename(self._path, newer)
            os.rename(fresh, self._path)
        except OSError:
            return False
        if self._file == self._first:
            self._first_size = os.fstat(self._first).st_size
        else:
            os.close(self._file)
        self._file, self._room = file, self._kept // 4
        if self._left_out:
            self._note()
        return True

    def _note(self) -> None:
        """Says at the end of the beginning how much is not there, instead of what was said before."""
        note = f"[dataops: {self._left_out:,} bytes of what the step printed are left out here, see `limits.log`]\n"
        try:
            os.ftruncate(self._first, self._first_size)
            os.write(self._first, note.encode())
        except OSError:
            pass


def _start(specification: dict[str, Any]) -> tuple[int, int]:
    """Starts the command in a process group of its own; returns its id, and where what it prints can be read.

    Raises:
        OSError: it cannot be started.
    """
    failed, fail = os.pipe()  # closed by a successful exec, which is how success is known
    printed, printing = os.pipe()
    try:
        fcntl.fcntl(printing, F_SETPIPE_SZ, PIPE)
    except OSError:  # the user may have no more
        pass
    child = os.fork()
    if child == 0:
        try:
            _become(specification, printing)
        except OSError as error:
            os.write(fail, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(fail)
    os.close(printing)
    said = os.read(failed, 16)
    os.close(failed)
    if said:
        os.waitpid(child, 0)
        raise OSError(int(said), os.strerror(int(said)))
    return child, printed


def _become(specification: dict[str, Any], printing: int) -> None:
    os.setpgid(0, 0)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(printing, 1)
    os.dup2(printing, 2)
    _limit(resource.RLIMIT_AS, specification["memory"])
    if specification["cpu_time"]:
        seconds = max(1, round(specification["cpu_time"]))
        _limit(resource.RLIMIT_CPU, seconds, seconds + 5)
    _limit(resource.RLIMIT_NOFILE, specification["open_files"])
    command = specification["command"]
    os.execvp(command[0], command)


def _limit(what: int, soft: int | None, hard: int | None = None) -> None:
    if soft is None:
        return
    highest = resource.getrlimit(what)[1]
    hard = soft if hard is None else hard
    if highest != resource.RLIM_INFINITY:
        soft, hard = min(soft, highest), min(hard, highest)
    resource.setrlimit(what, (soft, hard))


def _watch(child: int, woken: int, log: Log, timeout: float | None, grace: float) -> tuple[str, int]:
    """Waits for the step's end, and brings it about when time is over or nobody wants it any more."""
    deadline = None if timeout is None else time.monotonic() + timeout
    why, listening = "ended", [0, woken, log.printed]
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return why, status
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select(listening, [], [], left)
        if log.printed in ready and not log.take():
            listening.remove(log.printed)
        asked = 0 in ready and not os.read(0, 4096)
        if woken in ready:
            asked |= any(number != signal.SIGCHLD for number in os.read(woken, 4096))
        late = deadline is not None and time.monotonic() >= deadline
        if not (asked or late):
            continue
        if why == "ended":
            why = "stopped" if asked else "timeout"
            listening.remove(0)
            deadline = time.monotonic() + grace
            _signal_group(child, signal.SIGTERM)
        elif late:
            deadline = None
            _signal_group(child, signal.SIGKILL)


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def _end_descendants(group: int) -> None:
    """Kills what the step left running, also what moved to a group or session of its own: orphans become ours."""
    _signal_group(group, signal.SIGKILL)
    deadline = time.monotonic() + LAST_PATIENCE
    while time.monotonic() < deadline:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for pid in _children():
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(0.005)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
