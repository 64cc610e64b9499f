"""What the commands about snapshots have in common: the platform at hand and what its store holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.infra.errors import NotFoundError

if TYPE_CHECKING:
    from dataops.infra.platform.layout import PlatformLayout
    from dataops.snapshots.chunk_reader import SnapshotReader

at_option = click.option(
    "--at", "url", metavar="URL", help="In a bucket instead of on this machine: s3://bucket/prefix?region=…"
)


def platform_layout(cwd: Path) -> PlatformLayout:
    """The platform at hand.

    Raises:
        NotFoundError: there is none.
    """
    from dataops.envs.checkout import find_layout

    layout = find_layout(cwd.absolute())
    if layout is None:
        raise NotFoundError("there is no platform here, or it has no snapshot yet", where=str(cwd.absolute()))
    return layout


def open_by_id(layout: PlatformLayout, snapshot: str) -> SnapshotReader:
    """A snapshot whose data can be read."""
    from dataops.snapshots.storage.local import LocalStorage
    from dataops.snapshots.store import load_manifest, open_snapshot

    return open_snapshot(LocalStorage(layout.snapshots), load_manifest(layout, snapshot), layout.keys)


def count_references(layout: PlatformLayout) -> None:
    """Brings up to date what is known of who has which chunks."""
    from dataops.snapshots.sweep import refresh

    if layout.snapshots.is_dir():
        refresh(layout.snapshots, layout.keys)


def in_use(layout: PlatformLayout) -> dict[str, list[str]]:
    """The environments that are made of a snapshot, by its id."""
    from dataops.envs.registry import Registry
    from dataops.envs.retention import snapshots_in_use

    return snapshots_in_use(Registry(layout.registry))


def size(count: int | None) -> str:
    """Bytes, for people."""
    if count is None:
        return ""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def change(before: int | None, after: int | None) -> str:
    """A number before and after; once where they are the same."""
    shown: Sequence[str] = ["-" if n is None else f"{n:,}" for n in (before, after)]
    return shown[0].replace("-", "") if before == after else " → ".join(shown)
