"""The objects of a lake on their way into a snapshot: Parquet masked by the same rules as tables, the rest as it is.

An object is listed after the database snapshot was taken: one too many does no harm, one too few would. Names that
start with a dot are not objects but being written. Links and the like are refused: they lead out of the lake.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from dataops.infra.errors import VerificationError
from dataops.snapshots.chunks import ChunkRef
from dataops.snapshots.columns import ColumnMasking
from dataops.snapshots.compressed import search_compressed
from dataops.snapshots.hosts import OVERLAP, HostSearch
from dataops.snapshots.manifest import MaskedColumn, ObjectEntry
from dataops.snapshots.memory import Memory
from dataops.snapshots.parquet import columns_with_texts, look_into, rewrite
from dataops.snapshots.plans import MaskedField
from dataops.snapshots.writer import DataWriter

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a file from every other content that ever stood under its name."""

    device: int
    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, file: IO[bytes]) -> Identity:
        """The identity of an open file."""
        status = os.fstat(file.fileno())
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    @property
    def proof(self) -> str:
        """As a text."""
        return f"{self.device} {self.inode} {self.size} {self.changed}"


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """How one object is captured.

    Args:
        path: in the lake.
        identity: of the file whose columns were looked at.
        parquet: that it has columns.
        masked: those of them that are changed.
        remarks: that its writer left remarks in it, which no rule covers.
    """

    path: str
    identity: Identity
    parquet: bool
    masked: tuple[MaskedField, ...]
    remarks: bool

    @property
    def label(self) -> str:
        return f"lake:{self.path}"


@dataclass(frozen=True, slots=True)
class CapturedObject:
    """An object in the snapshot, its chunks, and what masking did to its columns, by label."""

    entry: ObjectEntry
    chunks: tuple[ChunkRef, ...]
    masking: dict[str, MaskedColumn]


def list_objects(lake: Path) -> list[str]:
    """The paths of all objects, sorted. A lake that does not exist yet has none.

    Raises:
        VerificationError: there is something that is neither a file nor a directory, or has an unusable name.
    """
    found = []
    for folder, folders, files in os.walk(lake):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*folders, *(name for name in files if not name.startswith("."))):
            path = Path(folder, name)
            try:
                shown = str(path.relative_to(lake)).encode().decode()
            except UnicodeEncodeError:
                raise VerificationError("the name of an object is not UTF-8", where=ascii(str(path))) from None
            kind = path.lstat().st_mode
            if stat.S_ISREG(kind):
                found.append(shown)
            elif not stat.S_ISDIR(kind):
                raise _no_object(shown)
    return sorted(found)


@contextmanager
def open_object(lake: Path, path: str) -> Iterator[IO[bytes]]:
    """Opens an object, and nothing that lies elsewhere.

    Raises:
        VerificationError: it is gone, or no file, or something on its way is a link.
    """
    try:
        descriptor = os.open(lake / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _no_object(path) from None
        raise VerificationError(
            f"lake:{path} cannot be read: {error.strerror}", hint="capture again when nobody changes the lake"
        ) from None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _no_object(path)
        if os.readlink(f"/proc/self/fd/{descriptor}") != str(lake.resolve() / path):
            raise _no_object(path)
        yield file


def _no_object(path: str) -> VerificationError:
    return VerificationError(
        f"lake:{path} is no object but a link or a device",
        hint="a link could lead out of the lake: put the file itself there",
    )


def capture_object(
    lake: Path, plan: ObjectPlan, writer: DataWriter, search: HostSearch, memory: Memory
) -> CapturedObject:
    """Copies one object into the store, masked.

    Raises:
        VerificationError: a value cannot be masked, or the object was changed since it was planned.
    """
    columns = [ColumnMasking(field, memory) for field in plan.masked]
    rows = None
    with open_object(lake, plan.path) as source:
        if Identity.of(source) == plan.identity:
            if plan.masked or plan.remarks:
                rows = rewrite(source, cast(IO[bytes], _Sink(writer)), columns, plan.label, search)
            elif plan.parquet:
                rows = _search_parquet(source, plan, search)
                source.seek(0)
                while block := source.read(BLOCK):
                    writer.write(block)
            else:
                _copy(source, writer, plan, search)
                if search.hosts:
                    source.seek(0)
                    search_compressed(source, plan.label, search)
        if Identity.of(source) != plan.identity:
            raise VerificationError(
                f"{plan.label} changed while it was captured",
                hint="objects must be written under another name and then renamed; capture again",
            )
    written = writer.finish()
    masking = {column.field.label: column.result() for column in columns}
    return CapturedObject(ObjectEntry(writer.bytes, rows, written.data), written.chunks, masking)


class _Sink(io.RawIOBase):
    """A writer as a file, so that what is masked goes into the store without lying on the disk in between."""

    def __init__(self, writer: DataWriter) -> None:
        self._writer = writer

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._writer.bytes

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._writer.write(view)
        return len(view)


def _search_parquet(source: IO[bytes], plan: ObjectPlan, search: HostSearch) -> int:
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as file:
        wanted = columns_with_texts(file.schema_arrow) if search.hosts else []
        for group in range(file.num_row_groups if wanted else 0):
            look_into(file.read_row_group(group, columns=wanted, use_threads=False), plan.label, search)
        return int(file.metadata.num_rows)


def _copy(source: IO[bytes], writer: DataWriter, plan: ObjectPlan, search: HostSearch) -> None:
    tail = b""
    while block := source.read(BLOCK):
        writer.write(block)
        search.look(plan.label, tail + block)
        tail = block[-OVERLAP:]
