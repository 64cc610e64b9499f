"""Archives that go into containers of an engine and come out of them, by the engine's own interface.

A container need not run for that. Everything is streamed: neither side ever has more than a piece of it in memory.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote

from dataops.infra.errors import NotFoundError, ResourceError
from dataops.infra.process.container_shim import API, EngineConnection, message_of
from dataops.infra.process.docker_faults import full, is_full, unavailable

PIECE = 1 << 20
ANSWER_SECONDS = 600.0
STATUS, FOLDER = "X-Docker-Container-Path-Stat", 1 << 31
"""The header that says what there is at a path, as JSON in base64, and the bit of its `mode` that folders have."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder of this machine that goes into a volume.

    Args:
        source: the folder; None for an empty one.
        inside: where its content goes, relative to the volume's root.
        uid, gid: whose it is there.
        private: whether nobody else may read it; else modes are kept.
        skip: paths relative to `source` that are left out.
    """

    source: Path | None
    inside: str
    uid: int
    gid: int
    private: bool = True
    skip: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One folder or file of a tree: its name inside, and where it comes from.

    Args:
        name: its path relative to the volume's root.
        source, status: what it is a copy of; None for a folder that only leads to the tree.
        tree: what it is part of, which says whose it is.
    """

    name: str
    source: Path | None
    status: os.stat_result | None
    tree: Tree

    @property
    def size(self) -> int:
        return self.status.st_size if self.status and stat.S_ISREG(self.status.st_mode) else 0

    @property
    def folder(self) -> bool:
        return self.status is None or stat.S_ISDIR(self.status.st_mode)


def members_of(tree: Tree) -> Iterator[Member]:
    """Folders and files of a tree, folders before what is in them; sockets and pipes are left out."""
    parts = tree.inside.split("/")
    for number in range(len(parts)):
        yield Member("/".join(parts[: number + 1]), None, None, tree)
    if tree.source is None:
        return
    if not tree.source.is_dir():
        raise ResourceError(f"there is nothing to copy: {tree.source} is no directory")
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(tree.source / prefix) as entries:
            for entry in entries:
                relative = prefix + entry.name
                if relative in tree.skip:
                    continue
                status = entry.stat(follow_symlinks=False)
                member = Member(f"{tree.inside}/{relative}", Path(entry.path), status, tree)
                if member.folder:
                    waiting.append(f"{relative}/")
                    yield member
                elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    yield member


def put_members(socket: str, container: str, into: str, members: Sequence[Member], *, doing: str) -> None:
    """Puts members of trees into a folder of a container.

    Args:
        doing: what for, in the words of errors.

    Raises:
        EngineFullError: no room is left there.
        EngineUnavailableError, ResourceError: the engine went away, or refuses.
    """
    with _talking(socket, doing) as connection:
        connection.putrequest("PUT", _where(container, into))
        connection.putheader("Content-Type", "application/x-tar")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        broken: OSError | None = None
        try:
            chunks = cast("IO[bytes]", _Chunks(connection))
            with tarfile.open(fileobj=chunks, mode="w|", bufsize=PIECE, format=tarfile.PAX_FORMAT) as tar:
                for member in members:
                    _add(tar, member)
            connection.send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError) as error:
            broken = error  # it refuses, and may still say why
        try:
            answer = connection.getresponse()
            said = message_of(answer.read().decode(errors="replace")) if answer.status >= 400 else ""
        except (OSError, http.client.HTTPException) as error:
            raise unavailable(doing, str(error), socket) from None
        if is_full(said):
            raise full()
        if said or broken:
            raise ResourceError(f"{doing} failed: {said or broken}")


def get_tree(socket: str, container: str, path: str, target: Path, *, doing: str) -> None:
    """Copies a folder of a container to a new one of this machine; links and special files are left out.

    Raises:
        NotFoundError: it has no such folder.
        EngineUnavailableError, ResourceError: the engine went away, or refuses.
    """
    with _answer(socket, container, path, doing) as answer:
        if answer.status == 404:
            raise NotFoundError(f"{doing} failed: there is no {path}")
        if answer.status >= 400:
            raise ResourceError(f"{doing} failed: {message_of(answer.read().decode(errors='replace'))}")
        with tarfile.open(fileobj=cast("IO[bytes]", answer), mode="r|", bufsize=PIECE) as tar:
            for member in tar:
                _take(tar, member, target)


def size_of(socket: str, container: str, path: str, *, doing: str) -> int | None:
    """The bytes of a file, or of all files of a folder, of a container; None where there is nothing.

    Raises:
        EngineUnavailableError: the engine does not answer.
    """
    with _answer(socket, container, path, doing, "HEAD") as answer:
        if answer.status >= 400:
            return None
        found = json.loads(base64.b64decode(answer.headers[STATUS]))
    if not found["mode"] & FOLDER:
        return int(found["size"])
    with (
        _answer(socket, container, path, doing) as answer,
        tarfile.open(fileobj=cast("IO[bytes]", answer), mode="r|", bufsize=PIECE) as tar,
    ):
        return sum(member.size for member in tar if member.isreg())


def text_of(socket: str, container: str, path: str) -> str | None:
    """The text of a small file as a container has it; None when it has none.

    Raises:
        EngineUnavailableError: the engine does not answer.
    """
    with _answer(socket, container, path, "reading a file of a container") as answer:
        if answer.status >= 400:
            return None
        with tarfile.open(fileobj=cast("IO[bytes]", answer), mode="r|") as tar:
            member = tar.next()
            content = tar.extractfile(member) if member is not None and member.isreg() else None
            return None if content is None else content.read().decode(errors="replace")


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Writes one member of an archive, whose names begin with the folder that was asked for."""
    parts = Path(member.name).parts[1:]
    if ".." in parts or Path(member.name).is_absolute():
        return
    path = target.joinpath(*parts)
    if member.isdir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif member.isreg() and (content := tar.extractfile(member)):
        with open(path, "wb") as file:
            shutil.copyfileobj(content, file, PIECE)


def _add(tar: tarfile.TarFile, member: Member) -> None:
    info = tarfile.TarInfo(member.name)
    info.uid, info.gid = member.tree.uid, member.tree.gid
    mode = stat.S_IMODE(member.status.st_mode) if member.status else 0o755
    if member.folder:
        info.type, info.mode = tarfile.DIRTYPE, 0o700 if member.tree.private else mode | 0o700
        tar.addfile(info)
        return
    assert member.source is not None and member.status is not None
    info.mtime = int(member.status.st_mtime)
    if stat.S_ISLNK(member.status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(member.source)
        tar.addfile(info)
        return
    info.size, info.mode = member.status.st_size, 0o600 if member.tree.private else mode | 0o200
    with open(member.source, "rb") as file:
        tar.addfile(info, file)


class _Chunks:
    """What is written to it goes out in chunks of HTTP."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def write(self, piece: bytes) -> int:
        if piece:
            self._connection.send(b"%x\r\n" % len(piece))
            self._connection.send(piece)
            self._connection.send(b"\r\n")
        return len(piece)


@contextmanager
def _answer(
    socket: str, container: str, path: str, doing: str, method: str = "GET"
) -> Iterator[http.client.HTTPResponse]:
    with _talking(socket, doing) as connection:
        connection.request(method, _where(container, path))
        yield connection.getresponse()


def _where(container: str, path: str) -> str:
    return f"{API}/containers/{quote(container)}/archive?path={quote(path)}"


@contextmanager
def _talking(socket: str, doing: str) -> Iterator[Any]:
    connection = EngineConnection(socket, ANSWER_SECONDS)
    try:
        yield connection
    except (OSError, http.client.HTTPException, tarfile.TarError) as error:
        raise unavailable(doing, str(getattr(error, "strerror", "") or error), socket) from None
    finally:
        connection.close()
