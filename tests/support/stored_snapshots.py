"""Looking into the store of a platform: what snapshots hold, opened, and the files in which it lies."""

from __future__ import annotations

from pathlib import Path

from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.storage.local import LocalStorage
from dataops.snapshots.store import list_snapshots, open_snapshot


def opened(layout: PlatformLayout, manifest: Manifest) -> SnapshotReader:
    """A snapshot whose data can be read."""
    return open_snapshot(LocalStorage(layout.snapshots), manifest, layout.keys)


def check(layout: PlatformLayout, manifest: Manifest) -> None:
    """Reads all data of a snapshot."""
    opened(layout, manifest).check()


def texts(layout: PlatformLayout, manifest: Manifest) -> dict[str, bytes]:
    """All data of a snapshot, by label."""
    snapshot = opened(layout, manifest)
    return {label: b"".join(snapshot.read(label)) for label in manifest.data()}


def all_texts(layout: PlatformLayout) -> dict[tuple[str, str], bytes]:
    """All data of all snapshots, by id and label."""
    return {(m.id, label): text for m in list_snapshots(layout) for label, text in texts(layout, m).items()}


def chunk_files(layout: PlatformLayout, manifest: Manifest, label: str) -> list[Path]:
    """The files in which the chunks of some data lie, without those that they are differences to."""
    snapshot = opened(layout, manifest)
    refs = snapshot.contents.parts[label]
    return [layout.snapshots / snapshot.keys.name(*ref.identity) for ref in refs]


def all_chunks(layout: PlatformLayout) -> set[Path]:
    """The files of all chunks, whosever they are."""
    return {path for path in (layout.snapshots / "chunks").rglob("*") if path.is_file()}


def chunks_of(layout: PlatformLayout) -> set[Path]:
    """The files of the chunks that snapshots have, those included that others are differences to."""
    snapshots = [opened(layout, manifest) for manifest in list_snapshots(layout)]
    return {layout.snapshots / s.keys.name(*chunk) for s in snapshots for chunk in s.contents.chunks()}
