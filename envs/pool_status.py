"""`pool status`: how clones are made here, what each environment and golden directory takes, what is free."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dataops.envs.techniques import Room, faster_than, nearest, room_of, technique_of
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.pool import Pool, read_pool
from dataops.infra.process.extents import extents_of


@dataclass(frozen=True, slots=True)
class Tenant:
    """An environment, a golden directory, or its copies made ahead.

    Args:
        kind: `environment`, `golden` or `warm`.
        platform, name: whose.
        pooled: whether it lies in the pool.
        logical: bytes of its files.
        allocated: bytes of the blocks they stand in.
        own: bytes of the blocks that nobody shares: what removing it would free.
    """

    kind: str
    platform: str
    name: str
    pooled: bool
    logical: int
    allocated: int
    own: int


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """How things stand.

    Args:
        pool: the pool, None when there is none.
        mounted: whether it is there.
        technique: how replicas are cloned from now on; "" when the pool is missing.
        size, used, free: bytes of the file system that they are cloned on.
        room: what the pool's image takes of the disk below it, and may yet take.
        tenants: what lies in the pool and beside it.
    """

    pool: Pool | None
    mounted: bool
    technique: str
    size: int
    used: int
    free: int
    room: Room
    tenants: tuple[Tenant, ...]

    @property
    def faster(self) -> str:
        """What would make clones faster; "" when nothing would."""
        if self.pool is not None and not self.mounted:
            return self.pool.mount_command
        return faster_than(self.technique)

    def to_json(self) -> dict[str, Any]:
        """The status as `-o json` prints it."""
        return {
            "pool": self.pool.to_json() if self.pool else None,
            "mounted": self.mounted,
            "technique": self.technique,
            "faster": self.faster,
            "size": self.size,
            "used": self.used,
            "free": self.free,
            "image": self.room.image,
            "freeBelow": self.room.below,
            "overcommitted": self.room.lacking,
            "tenants": [asdict(tenant) for tenant in self.tenants],
        }


def status(home: Path) -> PoolStatus:
    """Looks at the pool of a home and at what lies in it and beside it.

    Raises:
        ConfigurationError: the record of the pool cannot be read.
        ResourceError: the place cannot be written to, so that nobody can try how clones are made.
    """
    pool = read_pool(home)
    mounted = pool is not None and pool.mounted
    place = pool.mount if pool is not None else nearest(home)
    size, used, free = shutil.disk_usage(place) if pool is None or mounted else (0, 0, 0)
    room = room_of(pool) if pool is not None else Room(0, 0, 0)
    technique = technique_of(home) if pool is None or mounted else ""
    return PoolStatus(pool, mounted, technique, size, used, free, room, tuple(_tenants(home)))


def _tenants(home: Path) -> list[Tenant]:
    found = []
    for folder in sorted((home / "platforms").glob("*/registry")):
        layout = PlatformLayout(home, folder.parent.name)
        for place in layout.places:
            pooled = place != layout.root
            for kind, below in (("environment", "environments"), ("golden", "golden"), ("warm", "warm")):
                for path in _folders(place / below):
                    extents = extents_of(path)
                    found.append(
                        Tenant(
                            kind, layout.directory, path.name, pooled, extents.logical, extents.allocated, extents.own
                        )
                    )
    return found


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                Path(e.path) for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")
            )
    except OSError:
        return []
