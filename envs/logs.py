"""`env logs`: what an environment has logged, in the order of time, and what it goes on to log."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dataops.envs.log_lines import LogLine, lines_of
from dataops.envs.log_sources import LogSource
from dataops.infra.process.redaction import Redactor

BLOCK = 65_536
LONGEST_LINE = 1_000_000
"""Bytes after which a line is shown although it has not ended."""

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


def read_logs(sources: Sequence[LogSource], request: LogRequest, redact: Redactor) -> list[LogLine]:
    """What was logged, merged by time; a line that tells no time stays with the one before it in its log."""
    logs = [_History(source).read(request, redact) for source in sources]
    return [line for _, line in heapq.merge(*logs, key=lambda item: item[0])]


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
    """What is in a log now; `end` is how far it was read, None when there is no file."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self.end: _Position | None = None

    def read(self, request: LogRequest, redact: Redactor) -> list[tuple[float, LogLine]]:
        """The lines with the times by which they are sorted."""
        texts: list[str] = []
        written = 0.0
        for number, path in enumerate(_parts(self._source.path)):
            try:
                status = path.stat()
                if request.since is not None and status.st_mtime < request.since and number:
                    break
                wanted = None if request.tail is None else request.tail - len(texts)
                if wanted is not None and wanted <= 0 and number:
                    break
                with path.open("rb") as stream:
                    # While it is followed, a line that is being written must not be told in two pieces.
                    size = _end_of_lines(stream, finished=self._source.finished or number > 0)
                    texts[:0] = _last_lines(stream, size, wanted)
                if number == 0:
                    self.end, written = _Position(status.st_ino, size), status.st_mtime
            except FileNotFoundError:
                continue
        lines = lines_of(self._source.name, texts, redact)
        first = next((line.moment for line in lines if line.moment is not None), None)
        sortable = [(line.moment or first or written, line) for line in lines]
        if request.since is None:
            return sortable
        return [item for item in sortable if item[0] >= request.since]


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


def _last_lines(stream: BinaryIO, size: int, wanted: int | None) -> list[str]:
    """The last lines of the file's first `size` bytes, read from the end."""
    if wanted is None:
        stream.seek(0)
        return stream.read(size).decode("utf-8", "replace").splitlines()
    data, start = b"", size
    while start > 0 and data.count(b"\n") <= wanted:
        begin = max(0, start - BLOCK)
        stream.seek(begin)
        data = stream.read(start - begin) + data
        start = begin
    lines = data.decode("utf-8", "replace").splitlines()
    return lines[-wanted:] if wanted else []
