"""What a backend stores things in: named pieces of bytes, logs that are appended to, and mutual exclusion.

Names are relative paths with `/`, such as `.pulumi/stacks/shop/dev.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Log(Protocol):
    """A piece of bytes that is appended to. Used by one thread at a time."""

    def append(self, data: bytes) -> None:
        """Appends and returns when it is durable. After an error the log must not be used again."""
        ...

    def close(self) -> None:
        """Closes it, keeping what it holds."""
        ...


class Storage(Protocol):
    """Every method raises `DataopsError` when the storage fails (full, read-only, not permitted, not reached)."""

    url: str

    def now(self) -> float:
        """Seconds since 1970 by the clock that all who use the storage go by."""
        ...

    def read(self, name: str) -> bytes | None:
        """The bytes, None when there are none of that name."""
        ...

    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        """Replaces the bytes in one go: a crash leaves the old or the new; new ones once this returned, if durable."""
        ...

    def replace(self, name: str, data: bytes, seen: bytes | None, durable: bool = True) -> bool:
        """As `write`, if what is there is still what was `seen` (None: nothing); False when it is not."""
        ...

    def delete(self, name: str) -> None:
        """Removes it; no error when it is gone already."""
        ...

    def names(self, folder: str, beginning: str = "") -> list[str]:
        """Names directly in a folder that begin so, sorted, folders with a `/` at the end; empty when it is missing."""
        ...

    def modified(self, name: str) -> float:
        """When a piece of bytes was written, in seconds since 1970; 0 when there is none."""
        ...

    def create_log(self, name: str) -> Log:
        """Starts an empty log; one of the same name must not exist."""
        ...

    def read_log(self, name: str, strict: bool = True) -> bytes | None:
        """What a log holds; None when there is none of that name.

        Raises:
            VerificationError: acknowledged parts are missing; unless `strict`: then what is there is given.
        """
        ...

    def extend_log(self, name: str, keep: int, data: bytes) -> None:
        """Appends to a log that nobody has open, after its first `keep` bytes; what came after them is dropped."""
        ...

    def move_log(self, name: str, to: str) -> None:
        """Renames a log."""
        ...

    def delete_log(self, name: str) -> None:
        """Removes a log; no error when it is gone already."""
        ...

    @contextmanager
    def exclusive(self, folder: str) -> Iterator[None]:
        """Keeps other users of the folder on this machine out for a moment, where that is possible."""
        ...

    def describe(self, name: str) -> str:
        """Where a piece of bytes is, for messages."""
        ...
