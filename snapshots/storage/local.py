"""A storage in a folder: files of mode 0600 in folders of mode 0700, each written under another name and renamed."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from dataops.infra.errors import ResourceError, of_system

DRAFT = ".draft-"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
SYNCING = 8
"""Threads that wait for the disk at the same time: file systems write the files of several at once."""


class NoRoomError(ResourceError):
    """The disk is full."""


class LocalStorage:
    """A `Storage` in a folder, made when something is first put there. What begins with a dot is not a content.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = f"file://{root}"

    def read(self, name: str) -> bytes | None:
        with self._errors():
            try:
                return self._path(name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def size(self, name: str) -> int | None:
        try:
            return self._path(name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        with self._errors(), self._draft(path, data) as draft:
            draft.rename(path)

    def settle(self, names: Iterable[str]) -> None:
        paths = [self._path(name) for name in names]
        folders = {folder for path in paths for folder in path.parents if folder.is_relative_to(self.root)}
        if not paths:
            return
        with self._errors(), ThreadPoolExecutor(SYNCING, thread_name_prefix="settle") as pool:
            list(pool.map(sync, paths))
            list(pool.map(sync, folders))

    def create(self, name: str, data: bytes) -> bool:
        path = self._path(name)
        if path.exists():
            return False
        with self._errors(), self._draft(path, data) as draft:
            sync(draft)
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
        self.settle([name])
        return True

    def delete(self, name: str) -> None:
        path = self._path(name)
        with self._errors(), suppress(FileNotFoundError):
            path.unlink()
        with suppress(OSError):  # as far up as nothing else lies there
            for folder in path.parents:
                if folder == self.root:
                    break
                folder.rmdir()

    def names(self, beginning: str = "") -> Iterator[tuple[str, int]]:
        folder, _, rest = beginning.rpartition("/")
        return self._below(self.root / folder, f"{folder}/" if folder else "", rest)

    def describe(self, name: str) -> str:
        return str(self._path(name))

    def drafts(self) -> Iterator[Path]:
        """What was being written by those who were killed, and is by those who are not."""
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from (Path(folder, name) for name in files if name.startswith(DRAFT))

    def _below(self, folder: Path, prefix: str, beginning: str) -> Iterator[tuple[str, int]]:
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name + "/" * entry.is_dir(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in found:
            if entry.name.startswith(".") or not entry.name.startswith(beginning):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._below(folder / entry.name, f"{prefix}{entry.name}/", "")
            else:
                with suppress(FileNotFoundError):
                    yield prefix + entry.name, entry.stat(follow_symlinks=False).st_size

    def _path(self, name: str) -> Path:
        return self.root / name

    @contextmanager
    def _draft(self, path: Path, data: bytes) -> Iterator[Path]:
        """A file with that content beside the one it is to become; gone at the end, if it has not become it."""
        descriptor, draft = self._open_draft(path)
        try:
            with open(descriptor, "wb", buffering=0) as file:
                left = memoryview(data)
                while left:
                    left = left[file.write(left) :]
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def _open_draft(self, path: Path) -> tuple[int, Path]:
        draft = path.with_name(f"{DRAFT}{path.name[:16]}{secrets.token_hex(4)}")
        while True:
            try:
                return os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), draft
            except FileNotFoundError:  # also when somebody takes the last content out of the folder just now
                self._make_folder(path.parent)

    def _make_folder(self, folder: Path) -> None:
        """Makes a folder that only its owner can look into, and those above it as far as the root."""
        if folder != self.root:
            self._make_folder(folder.parent)
        with suppress(FileNotFoundError, FileExistsError):  # somebody removes or makes it just now
            folder.mkdir(mode=0o700, parents=folder == self.root, exist_ok=True)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in NO_ROOM:
                hint = "free some disk space, then run the command again"
                raise NoRoomError("no room left for the snapshot", where=str(self.root), hint=hint) from None
            raise of_system(error) or error from None


def sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
