"""A backend in memory: for tests of whatever uses a backend, and for trying things out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dataops.infra.errors import DataopsError, LockedError
from dataops.infra.state.stack_backend import StackBackend


class MemoryLog:
    """A `Log` in a `MemoryStorage`."""

    def __init__(self, pieces: dict[str, bytes], name: str) -> None:
        self._pieces = pieces
        self._name = name
        pieces[name] = b""

    def append(self, data: bytes) -> None:
        if self._name not in self._pieces:
            raise LockedError("the journal was taken away while it was written: the stack's lock was broken")
        self._pieces[self._name] += data

    def close(self) -> None:
        """Nothing has to be closed."""


class MemoryStorage:
    """A `Storage` in memory. `pieces` holds everything by name."""

    url = "memory://"

    def __init__(self) -> None:
        self.pieces: dict[str, bytes] = {}
        self._exclusive = threading.Lock()

    def now(self) -> float:
        return time.time()

    def read(self, name: str) -> bytes | None:
        return self.pieces.get(name)

    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        self.pieces[name] = data

    def delete(self, name: str) -> None:
        self.pieces.pop(name, None)

    def replace(self, name: str, data: bytes, seen: bytes | None, durable: bool = True) -> bool:
        if self.pieces.get(name) != seen:
            return False
        self.pieces[name] = data
        return True

    def names(self, folder: str, beginning: str = "") -> list[str]:
        found = set()
        for name in list(self.pieces):
            if name.startswith(f"{folder}/{beginning}"):
                first, slash, _ = name.removeprefix(f"{folder}/").partition("/")
                found.add(first + slash)
        return sorted(found)

    def modified(self, name: str) -> float:
        return float(name in self.pieces)

    def create_log(self, name: str) -> MemoryLog:
        if name in self.pieces:
            raise DataopsError("the journal cannot be made: there is one already", where=name)
        return MemoryLog(self.pieces, name)

    def read_log(self, name: str, strict: bool = True) -> bytes | None:
        return self.read(name)

    def extend_log(self, name: str, keep: int, data: bytes) -> None:
        self.pieces[name] = self.pieces[name][:keep] + data

    def move_log(self, name: str, to: str) -> None:
        self.pieces[to] = self.pieces.pop(name)

    def delete_log(self, name: str) -> None:
        self.delete(name)

    @contextmanager
    def exclusive(self, folder: str) -> Iterator[None]:
        with self._exclusive:
            yield

    def describe(self, name: str) -> str:
        return f"{self.url}{name}"


class MemoryBackend(StackBackend):
    """A `Backend` that forgets everything with the process."""

    def __init__(self, storage: MemoryStorage | None = None) -> None:
        super().__init__(storage or MemoryStorage())
