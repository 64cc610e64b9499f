"""State in a folder."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataops.infra.errors import ConfigurationError, DataopsError, LockedError


def storage_error(error: OSError, what: str, path: Path | str) -> DataopsError:
    """The typed error for a failure of the operating system."""
    where = str(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
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

    def __init__(self, path: Path, new: bool = True) -> None:
        self._path = path
        try:
            making = os.O_CREAT | os.O_EXCL if new else 0
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | making, 0o600)
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

    def now(self) -> float:
        return time.time()

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

    def replace(self, name: str, data: bytes, seen: bytes | None, durable: bool = True) -> bool:
        # Files cannot be compared and replaced in one go: callers that may meet one another hold `exclusive`.
        if self.read(name) != seen:
            return False
        self.write(name, data, durable)
        return True

    def delete(self, name: str) -> None:
        try:
            (self.root / name).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, "the state cannot be removed", self.root / name) from error

    def names(self, folder: str, beginning: str = "") -> list[str]:
        try:
            with os.scandir(self.root / folder) as entries:
                found = [e for e in entries if not e.name.startswith(".") and e.name.startswith(beginning)]
                return sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in found)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise storage_error(error, "the state cannot be read", self.root / folder) from error

    def modified(self, name: str) -> float:
        try:
            return (self.root / name).stat().st_mtime
        except OSError:
            return 0.0

    def create_log(self, name: str) -> FileLog:
        return FileLog(self.root / name)

    def read_log(self, name: str, strict: bool = True) -> bytes | None:
        return self.read(name)

    def extend_log(self, name: str, keep: int, data: bytes) -> None:
        try:
            os.truncate(self.root / name, keep)
            log = FileLog(self.root / name, new=False)
        except OSError as error:
            raise storage_error(error, "the journal cannot be written", self.root / name) from error
        try:
            log.append(data)
        finally:
            log.close()

    def move_log(self, name: str, to: str) -> None:
        try:
            os.replace(self.root / name, self.root / to)
            sync_folder((self.root / to).parent)
        except OSError as error:
            raise storage_error(error, "the journal cannot be moved", self.root / name) from error

    def delete_log(self, name: str) -> None:
        self.delete(name)

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
