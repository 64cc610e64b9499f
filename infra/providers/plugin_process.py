"""A process that serves the provider protocol: it prints the port it listens on, then answers until it is stopped."""

from __future__ import annotations

import collections
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

from dataops.infra.errors import ResourceError

_LINES_KEPT = 40
_PROGRESS = re.compile(r"\x1b\]9;4;[^\x1b]*\x1b\\")
"""How some tools that start programs show progress in a terminal's title bar, even where there is no terminal."""


class PluginProcess:
    """A running plugin.

    The process is given a pipe as its standard input that closes when this process dies, however it dies.

    Args:
        command: the program and its arguments; never secrets.
        folder: its working directory.
        environment: all of its environment.
        descriptors: open files that it inherits.
        dies_with_us: whether the kernel kills it when this process dies; for programs that do not look for it.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str],
        descriptors: Sequence[int] = (),
        dies_with_us: bool = False,
    ) -> None:
        self._command = str(command[0])
        words = [str(word) for word in command]
        if dies_with_us:
            pid = str(os.getpid())
            words = [sys.executable, "-I", "-S", str(Path(__file__).with_name("plugin_launch.py")), pid, *words]
        self._last: collections.deque[str] = collections.deque(maxlen=_LINES_KEPT)
        try:
            self._process = (
                _starter()
                .submit(
                    subprocess.Popen,
                    words,
                    cwd=folder,
                    env=dict(environment),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                    pass_fds=descriptors,
                )
                .result()
            )
        except OSError as error:
            raise ResourceError(f"cannot start {self._command}: {error.strerror}") from error
        self._reader = threading.Thread(target=self._read_errors, name="plugin-stderr", daemon=True)
        self._reader.start()
        self._drain: threading.Thread | None = None

    def port(self) -> int:
        """The port that the plugin printed; blocks until it has. `ResourceError` when it died instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        said = _PROGRESS.sub("", line.decode(errors="replace")).strip()
        if said.isascii() and said.isdigit() and 0 < int(said) < 65536:
            self.listen()
            return int(said)
        self.stop()
        what = "ended before it could serve" if not line else f"printed no port, but {said!r}"
        raise ResourceError(f"{self._command} {what}", details=self.explain() or None)

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def listen(self) -> None:
        """Begins to read what it prints; `port` does so by itself."""
        self._drain = threading.Thread(target=self._read_output, name="plugin-stdout", daemon=True)
        self._drain.start()

    def explain(self) -> str:
        """The last lines that the process wrote; gives one that is about to end a moment to do so."""
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "\n".join(self._last)
        self._reader.join(timeout=1)
        return "\n".join(self._last)

    def stop(self) -> None:
        """Ends the process; may be called again."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
        self._reader.join(timeout=1)
        if self._drain:
            self._drain.join(timeout=1)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()

    def _signal(self, number: signal.Signals) -> None:
        """To the process and those that it has started: it leads a group of its own."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._last.append(line.decode(errors="replace").rstrip())

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if said := line.decode(errors="replace").rstrip():
                self._last.append(said)


@cache
def _starter() -> ThreadPoolExecutor:
    """The one thread that starts processes: the kernel's signal comes when that ends, not when the process does."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="plugin-starter")
