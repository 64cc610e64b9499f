"""What a backend stores things in: named pieces of bytes, logs that are appended to, and mutual exclusion.

Names are relative paths with `/`, such as `.pulumi/stacks/shop/dev.json`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from dataops.infra.errors import ConfigurationError, DataopsError, LockedError


class Log(Protocol):
    """A piece of bytes that is appended to. Used by one thread at a time."""

    def append(self, data: bytes) -> None:
        """Appends and returns when it is on disk. After an error the log must not be used again."""
        ...

    def close(self) -> None:
        """Closes it, keeping what it holds."""
        ...


class Storage(Protocol):
    """Every method raises `DataopsError` when the storage fails (full, read-only, not permitted)."""

    url: str

    def read(self, name: str) -> bytes | None:
        """The bytes, None when there are none of that name."""
        ...

    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        """Replaces the bytes in one go: a crash leaves the old or the new; new ones once this returned, if durable."""
        ...

    def delete(self, name: str) -> None:
        """Removes it; no error when it is gone already."""
        ...

    def move(self, name: str, to: str) -> None:
        """Renames it, replacing what was there."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names directly in a folder, sorted, those of its folders with a `/` at the end; empty when it is missing."""
        ...

    def create_log(self, name: str) -> Log:
        """Starts an empty log; one of the same name must not exist."""
        ...

    @contextmanager
    def exclusive(self, folder: str) -> Iterator[None]:
        """Keeps other users of the folder on this machine out for a moment."""
        ...

    def describe(self, name: str) -> str:
        """Where a piece of bytes is, for messages."""
        ...


def storage_error(error: OSError, what: str, path: Path | str) -> DataopsError:
    """The typed error for a failure of the operating system."""
    where = str(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataopsError(
            f"{what}: the disk is full", where=where, hint="free some space, then run the command again"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ConfigurationError(
            f"{what}: not permitted", where=where, hint="make the state's folder writable for the user that runs this"
        )
    return DataopsError(f"{what}: {error.strerror or error}", where=where, hint="see to the disk, then run it again")


class FileLog:
    """A `Log` in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            sync_folder(path.parent)
        except OSError as error:
            raise storage_error(error, "the journal cannot be made", path) from error

    def append(self, data: bytes) -> None:
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._file, left) :]
            os.fdatasync(self._file) if hasattr(os, "fdatasync") else os.fsync(self._file)
            linked = os.fstat(self._file).st_nlink
        except OSError as error:
            raise storage_error(error, "the journal cannot be written", self._path) from error
        if not linked:
            raise LockedError("the journal was taken away while it was written: the stack's lock was broken")

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class FileStorage:
    """A `Storage` in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = f"file://{root}"

    def read(self, name: str) -> bytes | None:
        try:
            return (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise storage_error(error, "the state cannot be read", self.root / name) from error

    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        path = self.root / name
        # Begins with a dot and has no known extension, so that no reader takes it for a stack, a lock or an update.
        temporary = path.parent / f".{path.name}.{secrets.token_hex(6)}.tmp"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with open(temporary, "xb") as file:
                    if path.exists():
                        os.fchmod(file.fileno(), path.stat().st_mode & 0o7777)
                    file.write(data)
                    file.flush()
                    if durable:
                        os.fsync(file.fileno())
                os.replace(temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            if durable:
                sync_folder(path.parent)
        except OSError as error:
            raise storage_error(error, "the state cannot be written", path) from error

    def delete(self, name: str) -> None:
        try:
            (self.root / name).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, "the state cannot be removed", self.root / name) from error

    def move(self, name: str, to: str) -> None:
        try:
            os.replace(self.root / name, self.root / to)
            sync_folder((self.root / to).parent)
        except OSError as error:
            raise storage_error(error, "the state cannot be moved", self.root / name) from error

    def names(self, folder: str) -> list[str]:
        try:
            with os.scandir(self.root / folder) as entries:
                return sorted(f"{e.name}/" if e.is_dir() else e.name for e in entries if not e.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise storage_error(error, "the state cannot be read", self.root / folder) from error

    def create_log(self, name: str) -> FileLog:
        return FileLog(self.root / name)

    @contextmanager
    def exclusive(self, folder: str) -> Iterator[None]:
        path = self.root / folder
        try:
            path.mkdir(parents=True, exist_ok=True)
            # A lock on the folder itself: a file in it would be taken for a stack's lock by the Pulumi CLI.
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise storage_error(error, "the stack cannot be locked", path) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def describe(self, name: str) -> str:
        return str(self.root / name)


def sync_folder(path: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
