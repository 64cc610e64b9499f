"""Golden directories: a snapshot restored once, verified, stopped and read-only, of which environments are clones.

    <golden>/<key>/
    ├── golden.json   what it is; its presence under this name says that it is complete
    ├── postgres/     a cleanly stopped cluster
    └── lake/         the objects

The key names what decides whether a server can use the cluster: snapshot, server build with architecture, locale. It is
built under another name and renamed; a second one who needs it meanwhile waits for the first.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Any

from dataops.infra.errors import DataopsError, ResourceError, VerificationError
from dataops.infra.platform.layout import GOLDEN_RECORD, PlatformLayout
from dataops.infra.process.advisory_lock import is_locked
from dataops.infra.process.cloning import make_clonable
from dataops.infra.process.postgres_binaries import PostgresBinaries, install_binaries, server_build
from dataops.infra.process.postgres_connection import connect, postgres_errors
from dataops.infra.process.postgres_server import initialize, remove, system_identifier, temporary_server, trim_log
from dataops.infra.process.removal import remove_tree
from dataops.infra.process.users import ServerUser, server_user
from dataops.infra.process.warm_copies import remove_copies
from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.hygiene import cut_off
from dataops.snapshots.manifest import Manifest, blake3_hex, object_label
from dataops.snapshots.restore import SERVER_SETTINGS, restore
from dataops.snapshots.store import reading

PARTIAL = ".partial-"
ROOM = 32 << 20
"""Bytes: a restore that fails with less than that left has failed for want of room; Postgres writes 16 MB at a time."""
LOCALE = "c-utf8"


@dataclass(frozen=True, slots=True)
class Golden:
    """A complete golden directory.

    Args:
        snapshot: the id of the snapshot.
        data_directory: the Postgres cluster, to be cloned.
        lake_directory: the objects, to be cloned.
        manifest_hash: the hash of the snapshot's manifest.
        server_version: of the server that built it, as `18.6`.
        system_identifier: of the cluster; its clones share it.
        tables: how many tables it has.
    """

    snapshot: str
    data_directory: Path
    lake_directory: Path
    manifest_hash: str
    server_version: str
    system_identifier: str
    tables: int


def ensure_golden(manifest: Manifest, layout: PlatformLayout) -> Golden:
    """The golden directory of a snapshot, built when there is none.

    Raises:
        VerificationError: a file of the snapshot, or what was restored, is not as the manifest says.
        ResourceError: the restore fails.
    """
    return build_golden(manifest, layout.snapshots, layout.keys, layout.golden, layout.home)


def build_golden(manifest: Manifest, store: Path, keys: Path, directory: Path, home: Path) -> Golden:
    """As `ensure_golden`, for a store, keys, a directory of golden directories and a home that are known by path."""
    target = golden_place(manifest.id, directory)
    if found := _existing(target, manifest):
        return found
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _locked(_lock_of(target)):
        if found := _existing(target, manifest):
            return found
        user = server_user()
        draft = directory / f"{PARTIAL}{target.name}"
        _discard(draft)
        draft.mkdir(mode=0o755)
        try:
            with reading(store, manifest, keys) as snapshot:
                record = _build(snapshot, draft, install_binaries(home, user), user)
            draft.rename(target)
        except BaseException as error:
            full = disk_usage(directory).free < ROOM
            _discard(draft)
            if full and isinstance(error, (OSError, DataopsError)) and not isinstance(error, VerificationError):
                raise ResourceError(
                    f"no room left to restore the snapshot {manifest.id}",
                    where=str(directory),
                    hint="free some disk space, then run the command again: nothing half made is kept",
                    details=error.details if isinstance(error, DataopsError) else None,
                ) from error
            raise
        _sync([directory])
    return _golden(target, manifest, record)


def golden_place(snapshot: str, directory: Path) -> Path:
    """Where the golden directory of a snapshot lies, or would, for the server of this version of dataops."""
    return directory / f"{snapshot}_{server_build()}_{LOCALE}"


def _build(snapshot: SnapshotReader, draft: Path, binaries: PostgresBinaries, user: ServerUser) -> dict[str, Any]:
    """Makes all files of a golden directory; its record."""
    manifest = snapshot.manifest
    data, lake = draft / "postgres", draft / "lake"
    snapshot.check_present()
    make_clonable(data)
    with ThreadPoolExecutor(2, thread_name_prefix="beside") as beside:
        objects = beside.submit(_write_lake, snapshot, lake)
        initialize(data, binaries, user, sync=False)
        with temporary_server(data, binaries, user, settings=SERVER_SETTINGS) as server:
            # rows are brought to the disk while indexes are built, which takes other things
            restore(snapshot, server, binaries, loaded=lambda: beside.submit(_sync_all, data))
            with connect(server, manifest.database) as admin, postgres_errors("cutting the snapshot off its source"):
                cut_off(admin)
        trim_log(data, binaries)
        objects.result()
    _seal(draft)
    record = {
        "snapshot": manifest.id,
        "manifestHash": manifest.hash,
        "serverVersion": binaries.version,
        "systemIdentifier": system_identifier(data),
        "tables": len(manifest.tables),
        "files": _fingerprint(draft),
    }
    note = draft / GOLDEN_RECORD
    note.write_text(json.dumps(record, indent=1), encoding="utf-8")
    note.chmod(0o444)
    _sync([note, draft])
    return record


def _write_lake(snapshot: SnapshotReader, lake: Path) -> None:
    lake.mkdir()
    for path in snapshot.manifest.objects:
        target = lake / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:
            for piece in snapshot.read(object_label(path)):
                file.write(piece)


def _existing(target: Path, manifest: Manifest) -> Golden | None:
    try:
        record = json.loads((target / GOLDEN_RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if record["manifestHash"] != manifest.hash:
        raise VerificationError(
            f"the golden directory was not made of the snapshot {manifest.id}", where=str(target), hint="remove it"
        )
    if record.get("files") != _fingerprint(target):
        raise VerificationError(
            "the golden directory was changed since it was built",
            where=str(target),
            hint="remove it: it is built again when it is needed",
        )
    return _golden(target, manifest, record)


def _golden(target: Path, manifest: Manifest, record: Mapping[str, Any]) -> Golden:
    return Golden(
        manifest.id,
        target / "postgres",
        target / "lake",
        manifest.hash,
        record["serverVersion"],
        record["systemIdentifier"],
        record["tables"],
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Waits for the lock of one golden directory; a dead holder's is free."""
    with open(path, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sync_all(root: Path) -> list[Path]:
    """Makes the files below `root` durable; which ones."""
    files = [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
    with ThreadPoolExecutor(8, thread_name_prefix="sync") as pool:
        list(pool.map(_sync_if_there, files))
    return files


def _sync_if_there(file: Path) -> None:
    with suppress(FileNotFoundError):  # a server that runs removes files
        _sync([file])


def _seal(root: Path) -> None:
    """Makes everything below `root` durable, then read-only."""
    files, folders = _sync_all(root), [Path(folder) for folder, _, _ in os.walk(root)]
    _sync(folders)
    for file in files:
        file.chmod(0o400 if file.is_relative_to(root / "postgres") else 0o444)
    for folder in folders:
        if folder != root:  # a directory must be writable to be renamed
            folder.chmod(0o500 if folder.is_relative_to(root / "postgres") else 0o555)


def _fingerprint(root: Path) -> str:
    """What changes with any file of a golden directory. Only looks at each, since reading all would take too long."""
    lines = []
    for folder in ("postgres", "lake"):
        for path in (root / folder, *sorted((root / folder).rglob("*"))):
            status = path.lstat()
            # the last cannot be set back by whoever changed the file
            facts = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            lines.append(f"{path.relative_to(root)} {facts}")
    return blake3_hex("\n".join(lines).encode())


def _sync(paths: list[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _discard(draft: Path) -> None:
    """Removes a golden directory in the making, with whatever server a killed builder left on it."""
    remove(draft / "postgres")
    remove_tree(draft)


def is_being_built(place: Path) -> bool:
    """Whether somebody builds the golden directory of that name, complete or not, at this moment."""
    return is_locked(_lock_of(place))


def remove_golden(place: Path) -> None:
    """Removes a golden directory, complete or half made, while nobody builds it; waits for whoever does.

    Raises:
        OSError: something cannot be removed.
    """
    with _locked(_lock_of(place)):
        doomed = place if place.name.startswith(PARTIAL) else place.with_name(f"{PARTIAL}{place.name}")
        if doomed != place:
            _discard(doomed)
            place.rename(doomed)  # from here on nobody takes it for complete
        _discard(doomed)
        remove_copies(place.with_name(place.name.removeprefix(PARTIAL)))


def _lock_of(place: Path) -> Path:
    return place.with_name(f".{place.name.removeprefix(PARTIAL)}.lock")
