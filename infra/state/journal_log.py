"""The journal on disk: written by many threads with shared fsyncs, read back up to what a crash cut off.

One record a line: `<crc32> <number> <synced> <json>`. The checksum covers the rest of the line; records count from 0,
the header; `synced` is the number up to which everything was on disk when the record was written. A damaged record
beyond what any later record knows to be on disk is the torn tail of a crash and was never acknowledged; a damaged one
before that is corruption.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dataops.infra.errors import VerificationError
from dataops.infra.state.property_json import dump
from dataops.infra.state.storage import Log

FORMAT = 1


@dataclass(frozen=True, slots=True)
class JournalContents:
    """A journal as it was found.

    Args:
        header: `version`, `base` (hash of the checkpoint it extends), `kind`, `started`, `holder`, …; empty when not
            even the header is whole, which means that nothing was ever acknowledged.
        entries: in order.
        folded: the hash of the checkpoint that the entries were folded into, "" before that.
        torn: how many bytes at the end were incomplete.
        intact: how many bytes came before those.
        records: how many records those are, the header and marks of folding included.
    """

    header: Mapping[str, Any]
    entries: tuple[Mapping[str, Any], ...]
    folded: str
    torn: int
    intact: int
    records: int


def read_journal(data: bytes, where: str, strict: bool = True) -> JournalContents:
    """Reads a journal, leaving out a torn tail; unless `strict`, also whatever is damaged.

    Raises:
        VerificationError: a record that was acknowledged is damaged, or the journal has a newer format.
    """
    records: list[tuple[int, Mapping[str, Any]]] = []
    intact = 0
    broken: int | None = None
    later: list[Mapping[str, Any]] = []
    for line in data.splitlines(keepends=True):
        record = _parse(line)
        if broken is None and record is not None and record[0] == len(records):
            records.append((record[1], record[2]))
            intact += len(line)
        else:
            if broken is None:
                broken = len(records)
            if not strict and record is not None and record[0] > 0:
                later.append(record[2])
            if strict and record is not None and record[1] >= broken:
                raise VerificationError(
                    f"record {broken} of the journal is damaged although it had been written",
                    where=where,
                    hint="restore the file from a backup, or see what it holds with `dataops stack recover`",
                )
    header = records[0][1] if records else {}
    if strict and header and header.get("version") != FORMAT:
        raise VerificationError(
            f"the journal has format {header.get('version')}, this version reads {FORMAT}",
            where=where,
            hint="use the version of dataops that wrote it, or a newer one",
        )
    entries = (*(said for _, said in records[1:]), *later)
    folded = next((str(said["folded"]) for said in reversed(entries) if "folded" in said), "")
    entries = tuple(entry for entry in entries if "folded" not in entry)
    return JournalContents(header, entries, folded, len(data) - intact, intact, len(records))


def _parse(line: bytes) -> tuple[int, int, Mapping[str, Any]] | None:
    checksum, _, rest = line.partition(b" ")
    try:
        if not line.endswith(b"\n") or int(checksum, 16) != zlib.crc32(rest) or len(checksum) != 8:
            return None
        number, synced, text = rest.split(b" ", 2)
        return int(number), int(synced), json.loads(text)
    except ValueError:
        return None


def journal_bytes(header: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> bytes:
    """A whole journal, for writing it in one go."""
    return b"".join(record_line(number, number - 1, record) for number, record in enumerate((header, *records)))


def record_line(number: int, synced: int, record: Mapping[str, Any]) -> bytes:
    """One record as it is written; see the top of this file."""
    rest = f"{number} {synced} {dump(record)}\n".encode()
    return b"%08x %s" % (zlib.crc32(rest), rest)


class _Waiter:
    """One who waits until a record is on disk: woken by a lock of its own, so that those who wake do not queue for one.

    Attributes:
        leads: it is this one's turn to write.
        failure: why the record will never be on disk.
    """

    __slots__ = ("failure", "leads", "number", "woken")

    def __init__(self, number: int) -> None:
        self.number = number
        self.leads = False
        self.failure: BaseException | None = None
        self.woken = threading.Lock()
        self.woken.acquire()


class JournalWriter:
    """Appends records; callers that wait at the same time share an fsync.

    Args:
        create: makes the log; called with the first durable record, so that an update without changes leaves none.
        header: see `JournalContents`.
    """

    def __init__(self, create: Callable[[], Log], header: Mapping[str, Any]) -> None:
        self._create = create
        self._log: Log | None = None
        self._changed = threading.Lock()
        self._waiting: list[tuple[int, Mapping[str, Any]]] = []
        self._waiters: list[_Waiter] = []
        self._count = 0
        self._synced = -1
        # Somebody writes, or has been woken to.
        self._writing = False
        self._failure: BaseException | None = None
        self._put({"version": FORMAT, **header})

    @property
    def started(self) -> bool:
        """Whether there is anything on disk."""
        return self._log is not None

    def add(self, record: Mapping[str, Any]) -> int:
        """Takes a record in, which must not change from now on; the next `sync` writes it. Returns its number."""
        with self._changed:
            return self._put(record)

    def sync(self, number: int) -> None:
        """Returns when the record of that number is on disk; the error of the log when it cannot be written."""
        waiter = _Waiter(number)
        try:
            with self._changed:
                if self._synced >= number:
                    return
                if self._failure is not None:
                    raise self._failure
                if self._writing:
                    self._waiters.append(waiter)
                else:
                    self._writing = waiter.leads = True
            if not waiter.leads:
                waiter.woken.acquire()
            if waiter.leads:
                self._write(waiter)
        except BaseException:
            with self._changed:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                if waiter.leads:
                    # Interrupted before its turn came to anything: it goes to another.
                    self._pass_on(waiter)
            raise
        if waiter.failure is not None:
            raise waiter.failure

    def _write(self, leader: _Waiter) -> None:
        """Writes what is waiting, letting others add and wait meanwhile; then it is the turn of one of those."""
        failure: BaseException | None = None
        last = -1
        try:
            with self._changed:
                batch, self._waiting = self._waiting, []
                last, synced = self._count - 1, self._synced
            if self._log is None:
                self._log = self._create()
            self._log.append(b"".join(record_line(number, synced, record) for number, record in batch))
        except BaseException as error:
            failure = error
        with self._changed:
            if failure is None:
                self._synced = last
            else:
                # What a failed fsync left on disk is unknown and a second one would lie, so this journal is finished.
                self._failure = leader.failure = failure
            ended = [waiter for waiter in self._waiters if failure is not None or waiter.number <= last]
            self._waiters = [waiter for waiter in self._waiters if failure is None and waiter.number > last]
            self._pass_on(leader)
        for waiter in ended:
            waiter.failure = failure
            waiter.woken.release()

    def _pass_on(self, leader: _Waiter) -> None:
        """Has one of those who wait write the next batch; the others need not know before it is on disk."""
        leader.leads = False
        self._writing = bool(self._waiters)
        if self._waiters:
            following = self._waiters.pop(0)
            following.leads = True
            following.woken.release()

    def _put(self, record: Mapping[str, Any]) -> int:
        number = self._count
        self._waiting.append((number, record))
        self._count += 1
        return number

    def close(self) -> None:
        """Closes the log; what was added without `sync` is lost."""
        if self._log is not None:
            self._log.close()
