"""A process that serves the provider protocol: it prints the port it listens on, then answers until it is stopped."""

from __future__ import annotations

import collections
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from dataops.infra.errors import ResourceError

_LINES_KEPT = 40


class PluginProcess:
    """A running plugin.

    The process is given a pipe as its standard input that closes when this process dies, however it dies.

    Args:
        command: the program and its arguments; never secrets.
        folder: its working directory.
        environment: all of its environment.
        descriptors: open files that it inherits.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str],
        descriptors: Sequence[int] = (),
    ) -> None:
        self._command = str(command[0])
        self._last: collections.deque[str] = collections.deque(maxlen=_LINES_KEPT)
        try:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=descriptors,
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
        if not line.strip().isdigit():
            self.stop()
            raise ResourceError(f"{self._command} ended before it could serve", details=self.explain() or None)
        self.listen()
        return int(line)

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
            self._process.terminate()
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(timeout=1)
        if self._drain:
            self._drain.join(timeout=1)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._last.append(line.decode(errors="replace").rstrip())

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if said := line.decode(errors="replace").rstrip():
                self._last.append(said)
