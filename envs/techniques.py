"""How replicas are cloned on this machine, and what would be faster."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import ResourceError
from dataops.infra.platform.pool import Pool, read_pool
from dataops.infra.process.cloning import technique_at
from dataops.infra.process.containers import CARRIED

SAFETY = 1 << 30
"""Bytes that the disk below a pool should have beside what the pool may still grow by."""

POOL = "make a pool, on which clones share blocks: sudo dataops pool create --size 50G"

WORDS = {
    "snapshot": "a btrfs snapshot, which shares every block",
    "reflink": "reflinks, which share every block",
    "warm": "a copy that was made ahead",
    "copy": "copies of every byte",
    CARRIED: "copies into the Docker Engine, which does not see the files of this machine",
}
"""The techniques of `dataops.infra.process.cloning`, and of volumes of an engine, in words."""


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that a pool's image takes, that are free on the disk below it, and that lack for the pool to fill."""

    image: int
    below: int
    lacking: int


def technique_of(home: Path) -> str:
    """How replicas of a home are cloned from now on, tried with real data.

    Raises:
        ResourceError: the place cannot be written to, or the pool is not mounted.
    """
    pool = read_pool(home)
    place = pool.require().mount if pool is not None else nearest(home)
    try:
        return technique_at(place)
    except OSError as error:
        raise ResourceError(f"nothing can be tried there: {error.strerror}", where=str(place)) from None


def faster_than(technique: str) -> str:
    """What to type for something faster than a technique; "" when nothing is."""
    return POOL if technique in ("warm", "copy") else ""


def room_of(pool: Pool) -> Room:
    """How much the disk below a pool has for it: an image that cannot grow loses what is written to it."""
    if not pool.image.exists():
        return Room(0, 0, pool.size)
    image, below = pool.image.stat().st_blocks * 512, shutil.disk_usage(pool.image.parent).free
    return Room(image, below, max(0, pool.size - image + SAFETY - below))


def nearest(path: Path) -> Path:
    """The path, or the folder above it that exists."""
    return next((folder for folder in (path, *path.parents) if folder.exists()), Path("/"))
