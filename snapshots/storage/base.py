"""The contract of a storage; `tests/unit/snapshots/test_storage.py` tries it on every implementation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol


class Storage(Protocol):
    """A map of names to contents. May be used by several threads and processes at once.

    A content is seen whole or not at all, whatever happens to whoever writes it. Names consist of words of letters,
    digits, `_`, `-` and `.`, none of which begins with a dot, separated by slashes. Every method may raise the errors
    of `dataops.infra.errors`: `ResourceError` when there is no room, `AuthenticationError` when it is not permitted,
    `DeadlineError` when a server does not answer.
    """

    url: str

    def read(self, name: str) -> bytes | None:
        """A content; None when there is none."""

    def size(self, name: str) -> int | None:
        """The size of a content in bytes; None when there is none."""

    def write(self, name: str, data: bytes) -> None:
        """Puts a content under a name, in place of any other. It need not survive a power cut before `settle`."""

    def settle(self, names: Iterable[str]) -> None:
        """Returns when contents that were written survive a power cut."""

    def create(self, name: str, data: bytes) -> bool:
        """Puts a content under a name that has none, to survive a power cut; False when it has one already."""

    def delete(self, name: str) -> None:
        """Takes a content away; that there is none is no error."""

    def names(self, beginning: str = "") -> Iterator[tuple[str, int]]:
        """Every name that begins so, with the size of its content, sorted by name."""

    def describe(self, name: str) -> str:
        """Where a content lies, for people."""
