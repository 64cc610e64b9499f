"""A storage in memory, for tests of what uses one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator


class MemoryStorage:
    """A `Storage` in a dictionary."""

    url = "memory://"

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def read(self, name: str) -> bytes | None:
        return self.contents.get(name)

    def size(self, name: str) -> int | None:
        found = self.contents.get(name)
        return None if found is None else len(found)

    def write(self, name: str, data: bytes) -> None:
        self.contents[name] = bytes(data)

    def settle(self, names: Iterable[str]) -> None:
        """Nothing here survives anything."""

    def create(self, name: str, data: bytes) -> bool:
        with self._lock:
            created = name not in self.contents
            self.contents.setdefault(name, bytes(data))
            return created

    def delete(self, name: str) -> None:
        self.contents.pop(name, None)

    def names(self, beginning: str = "") -> Iterator[tuple[str, int]]:
        found = sorted((name, len(data)) for name, data in self.contents.copy().items() if name.startswith(beginning))
        return iter(found)

    def describe(self, name: str) -> str:
        return f"memory://{name}"
