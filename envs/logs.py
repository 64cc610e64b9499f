"""`env logs`: what an environment has logged, in the order of time, and what it goes on to log."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dataops.envs.log_lines import LogLine, each_line, lines_of
from dataops.envs.log_sources import LogSource
from dataops.infra.process.redaction import Redactor

BLOCK = 65_536
LONGEST_LINE = 1_000_000
"""Bytes after which a line is shown although it has not ended."""

UNDATED = 10_000
"""Lines without a time that are kept until one comes that tells it."""

PAUSE = 0.25
"""Seconds between two looks at the logs that are followed."""

Sources = Callable[[], Sequence[LogSource]]
"""Says which logs there are now; runs and services may come while logs are followed."""


@dataclass(frozen=True, slots=True)
class LogRequest:
    """What the user asked for.

    Args:
        tail: of each log so many lines at most, the newest; None for all.
        since: nothing before this moment, in seconds since 1970, as far as lines tell when they were written.
    """

    tail: int | None = None
    since: float | None = None


def read_logs(sources: Sequence[LogSource], request: LogRequest, redact: Redactor) -> Iterator[LogLine]:
    """What was logged, merged by time; a line that tells no time stays with the one before it in its log.

    Lines are read as they are asked for: a log may be larger than memory.
    """
    logs = [_History(source).read(request, redact) for source in sources]
    return (line for _, line in heapq.merge(*logs, key=lambda item: item[0]))


def follow_logs(sources: Sources, request: LogRequest, redact: Redactor) -> Iterator[LogLine | None]:
    """What was logged, and from then on each line soon after it was written, also of logs that begin later.

    Gives None when there is nothing to tell at the moment. It never ends by itself; close it to let go of the files.
    """
    tails: dict[Path, _Tail] = {}
    try:
        begun = []
        for source in sources():
            history = _History(source)
            begun.append(history.read(request, redact))
            tails[source.path] = _Tail(source, redact, history.end)
        for _, line in heapq.merge(*begun, key=lambda item: item[0]):
            yield line
        while True:
            for source in sources():
                if source.path not in tails:
                    tails[source.path] = _Tail(source, redact, None)
            fresh = [line for tail in tails.values() for line in tail.poll()]
            yield from sorted(fresh, key=lambda line: line.moment or 0.0) if all(f.moment for f in fresh) else fresh
            yield None
            time.sleep(PAUSE)
    finally:
        for tail in tails.values():
            tail.close()


@dataclass(frozen=True, slots=True)
class _Position:
    """How far a file was read: the file itself, and how many of its bytes."""

    inode: int
    offset: int


class _History:
    """What is in a log now; `end` is how far it is read, None when there is no file."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self._written = 0.0
        self.end: _Position | None = None
        try:
            with source.path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                # While it is followed, a line that is being written must not be told in two pieces.
                self.end = _Position(status.st_ino, _end_of_lines(stream, source.finished))
                self._written = status.st_mtime
        except FileNotFoundError:
            pass

    def read(self, request: LogRequest, redact: Redactor) -> Iterator[tuple[float, LogLine]]:
        """The lines with the times by which they are sorted."""
        parts = self._parts(request.since)
        texts = _all_lines(parts) if request.tail is None else _newest_lines(parts, request.tail)
        dated = self._dated(each_line(self._source.name, texts, redact))
        return dated if request.since is None else (item for item in dated if item[0] >= (request.since or 0.0))

    def _parts(self, since: float | None) -> list[tuple[Path, int]]:
        """The files of the log, the newest first, and how much of each is read."""
        found = [(self._source.path, self.end.offset)] if self.end else []
        for path in _parts(self._source.path)[1:]:
            try:
                status = path.stat()
            except FileNotFoundError:
                break
            if since is not None and status.st_mtime < since:
                break
            found.append((path, status.st_size))
        return found

    def _dated(self, lines: Iterable[LogLine]) -> Iterator[tuple[float, LogLine]]:
        """Lines before the first that tells a time go with it; where none does, with the time of the file."""
        waiting: list[LogLine] = []
        for line in lines:
            if line.moment is None and len(waiting) < UNDATED:
                waiting.append(line)
                continue
            moment = line.moment or self._written
            yield from ((moment, earlier) for earlier in waiting)
            waiting.clear()
            yield moment, line
        yield from ((self._written, line) for line in waiting)


class _Tail:
    """Follows one log over its rotations.

    Args:
        start: where to go on; None for the beginning of whatever is there by then.
    """

    def __init__(self, source: LogSource, redact: Redactor, start: _Position | None) -> None:
        self._source, self._redact = source, redact
        self._stream: BinaryIO | None = None
        self._inode = 0
        self._rest = b""
        self._moment: float | None = None
        if start is not None:
            self._open(source.path, start.offset if _inode(source.path) == start.inode else 0)

    def poll(self) -> list[LogLine]:
        """The lines that have come since the last time."""
        texts = self._read()
        if _inode(self._source.path) not in (0, self._inode):
            for path in self._newer_parts():
                self._open(path, 0)
                texts += self._read()
        elif self._stream is not None and os.fstat(self._stream.fileno()).st_size < self._stream.tell():
            self._stream.seek(0)
            texts += self._read()
        lines = lines_of(self._source.name, texts, self._redact, self._moment)
        self._moment = lines[-1].moment if lines else self._moment
        return lines

    def close(self) -> None:
        """Lets go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _newer_parts(self) -> list[Path]:
        """The files that came after the one that is open: it was rotated, perhaps more than once."""
        parts = _parts(self._source.path)
        known = next((number for number, path in enumerate(parts) if _inode(path) == self._inode), 1)
        return parts[:known][::-1] if self._inode else parts[:1]

    def _open(self, path: Path, offset: int) -> None:
        try:
            stream = path.open("rb")
        except OSError:
            return
        self.close()
        self._stream, self._inode, self._rest = stream, os.fstat(stream.fileno()).st_ino, b""
        stream.seek(offset)

    def _read(self) -> list[str]:
        if self._stream is None:
            return []
        data = self._rest + self._stream.read()
        end = data.rfind(b"\n") + 1
        if len(data) - end > LONGEST_LINE or (self._source.finished and len(data) > end):
            end = len(data)
        self._rest = data[end:]
        return data[:end].decode("utf-8", "replace").splitlines()


def _parts(path: Path) -> list[Path]:
    """A log and what was rotated away of it, the newest first."""
    found = [path]
    while (older := path.with_name(f"{path.name}.{len(found)}")).exists():
        found.append(older)
    return found


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _end_of_lines(stream: BinaryIO, finished: bool) -> int:
    """The size of the file up to the end of its last complete line."""
    size = stream.seek(0, os.SEEK_END)
    if finished:
        return size
    start = max(0, size - LONGEST_LINE)
    stream.seek(start)
    found = stream.read(size - start).rfind(b"\n")
    return size if found < 0 and start else start + found + 1


def _all_lines(parts: Sequence[tuple[Path, int]]) -> Iterator[str]:
    """The lines of files that are given newest first, the oldest line first."""
    for path, size in reversed(parts):
        with suppress(FileNotFoundError), path.open("rb") as stream:
            while size > 0 and (line := stream.readline(min(size, LONGEST_LINE))):
                size -= len(line)
                yield from line.decode("utf-8", "replace").splitlines()


def _newest_lines(parts: Sequence[tuple[Path, int]], wanted: int) -> list[str]:
    """The last lines of files that are given newest first, the oldest line first."""
    texts: list[str] = []
    for path, size in parts:
        if len(texts) >= wanted:
            break
        with suppress(FileNotFoundError), path.open("rb") as stream:
            texts[:0] = _last_lines(stream, size, wanted - len(texts))
    return texts


def _last_lines(stream: BinaryIO, size: int, wanted: int) -> list[str]:
    """The last lines of the file's first `size` bytes, read from the end."""
    blocks: list[bytes] = []
    start, ends = size, 0
    while start > 0 and ends <= wanted:
        begin = max(0, start - BLOCK)
        stream.seek(begin)
        blocks.append(stream.read(start - begin))
        ends += blocks[-1].count(b"\n")
        start = begin
    return b"".join(reversed(blocks)).decode("utf-8", "replace").splitlines()[-wanted:]
