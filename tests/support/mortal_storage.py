"""A storage whose process is killed at a chosen moment: a wrapper round the real one, as a power cut would find it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dataops.infra.state.file_storage import FileStorage
from dataops.infra.state.storage import Log


class Fate:
    """Kills this process at the n-th moment that it is told of; 0 for never.

    Args:
        last_words: told the moment's name right before the end.

    Attributes:
        passed: the moments that there have been.
    """

    def __init__(self, at: int, last_words: Callable[[str], None]) -> None:
        self._left = at
        self.passed: list[str] = []
        self._last_words = last_words
        self._lock = threading.Lock()

    def strikes(self, moment: str) -> bool:
        """Whether this is the moment. From then on nobody else gets past it."""
        self._lock.acquire()
        self.passed.append(moment)
        self._left -= 1
        if self._left == 0:
            return True
        self._lock.release()
        return False

    def strike(self, moment: str) -> None:
        """Kills."""
        self._last_words(moment)
        os.kill(os.getpid(), signal.SIGKILL)
        threading.Event().wait()

    def pass_by(self, moment: str) -> None:
        """A moment at which nothing is half done."""
        if self.strikes(moment):
            self.strike(moment)


class MortalLog:
    """A log of which only what was synced outlives the process, and maybe a part of what was about to be."""

    def __init__(self, log: Log, fate: Fate) -> None:
        self._log = log
        self._fate = fate

    def append(self, data: bytes) -> None:
        self._fate.pass_by("journal, before its fsync")
        if self._fate.strikes("journal, half written"):
            self._log.append(data[: len(data) * 2 // 3])
            self._fate.strike("journal, half written")
        self._log.append(data)
        self._fate.pass_by("journal, after its fsync")

    def close(self) -> None:
        self._log.close()


class MortalStorage(FileStorage):
    """Files, with a moment of fate before and after everything that changes them."""

    def __init__(self, root: Path, fate: Fate) -> None:
        super().__init__(root)
        self._fate = fate

    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        with self._change(name, "written"):
            super().write(name, data, durable)

    def delete(self, name: str) -> None:
        with self._change(name, "removed"):
            super().delete(name)

    def move_log(self, name: str, to: str) -> None:
        with self._change(name, "moved"):
            super().move_log(name, to)

    def extend_log(self, name: str, keep: int, data: bytes) -> None:
        with self._change(name, "extended"):
            super().extend_log(name, keep, data)

    def create_log(self, name: str) -> MortalLog:  # type: ignore[override]
        self._fate.pass_by("journal, before it is made")
        return MortalLog(super().create_log(name), self._fate)

    @contextmanager
    def _change(self, name: str, happened: str) -> Iterator[None]:
        folder = name.split("/")[1]
        kind = name.rpartition(".")[2] if folder == "stacks" else folder
        self._fate.pass_by(f"{kind}, before it is {happened}")
        yield
        self._fate.pass_by(f"{kind}, after it was {happened}")
