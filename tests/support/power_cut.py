"""A power cut at any moment at which something is stored, without a process of its own.

What was stored and what existed at the moment are set aside, the operation goes on to its end as if nothing had
happened, and then what was set aside is put back: nothing that came after the moment has ever been.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from dataops.infra.state.memory import MemoryBackend, MemoryLog, MemoryStorage
from support.engine_world import STACK, World

Result = TypeVar("Result")
Pieces = dict[str, bytes]


class FragileLog(MemoryLog):
    """A log with a moment before, amid and after each append."""

    def __init__(self, storage: FragileStorage, name: str) -> None:
        super().__init__(storage.pieces, name)
        self._storage = storage

    def append(self, data: bytes) -> None:
        self._storage.moment()
        torn = self._storage.pieces.get(self._name, b"") + data[: len(data) * 2 // 3]
        self._storage.moment({self._name: torn})
        super().append(data)
        self._storage.moment()


class FragileStorage(MemoryStorage):
    """A storage in memory that tells of each moment before and after it changes."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Callable[[Pieces], None] | None = None

    def moment(self, torn: Pieces | None = None) -> None:
        """A moment; `torn` is what is half written."""
        if self.told is not None:
            self.told(torn or {})

    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        self.moment()
        super().write(name, data, durable)
        self.moment()

    def delete(self, name: str) -> None:
        self.moment()
        super().delete(name)
        self.moment()

    def create_log(self, name: str) -> FragileLog:
        self.moment()
        return FragileLog(self, name)


class FragileWorld(World):
    """A world whose power can be cut."""

    def __init__(self) -> None:
        self.storage = FragileStorage()
        super().__init__(backend=MemoryBackend(self.storage))
        self._left = 0
        self._kept: tuple[Pieces, dict[str, Any]] | None = None

    def cut(self, at: int, operate: Callable[[], Result]) -> Result | None:
        """Does something and cuts the power at a moment, counted from 1.

        Returns:
            None when the power was cut: the stack and the world are as they were then, and nobody holds a lock.
        """
        self._left, self._kept = at, None
        self.storage.told = self._tell
        try:
            result = operate()
        finally:
            self.storage.told = None
        if self._kept is None:
            return result
        pieces, self.provider.objects = self._kept
        self.storage.pieces.clear()
        self.storage.pieces.update(pieces)
        self.backend.cancel(STACK)
        return None

    def _tell(self, torn: Pieces) -> None:
        self._left -= 1
        if self._left == 0:
            self._kept = ({**self.storage.pieces, **torn}, self.provider.existing())
