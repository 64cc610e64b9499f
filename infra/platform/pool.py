"""The pool of a home: a file system on which copies share blocks, where replicas and golden directories lie.

`<home>/pool.json` says that there is one, and is written last. The file system itself is an image, a sparse file that
is mounted by a loop device, so that a machine on plain ext4 needs nothing but room.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError, ResourceError
from dataops.infra.platform.records import read_record, write_record

RECORD = "pool.json"
NOTE = ".not-mounted"
"""A file in the folder that the pool is mounted on, seen only while it is not: it holds what to type."""

LABEL = "dataops-pool"
"""The label of the file system, by which an image is known to be ours; twelve characters, as many as XFS takes."""

OPTIONS = {
    # `discard` gives the room of what was removed back to the disk that the image lies on; without `allocsize` a file
    # that grows is given as much again ahead, which doubled what a change of 1 % of the rows takes
    "xfs": "loop,noatime,nodev,nosuid,discard,allocsize=256k",
    "btrfs": "loop,noatime,nodev,nosuid,discard=async,user_subvol_rm_allowed",
}
"""How each kind is mounted."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as it is recorded.

    Args:
        kind: `xfs` or `btrfs`.
        image: the sparse file.
        mount: where it is mounted.
        size: bytes.
        owner: the id of the user who works in it.
        boot: that the system mounts it when it starts.
        removing: that its removal was begun.
    """

    kind: str
    image: Path
    mount: Path
    size: int
    owner: int
    boot: bool = False
    removing: bool = False

    @property
    def mounted(self) -> bool:
        """Whether it is there at this moment."""
        return os.path.ismount(self.mount)

    @property
    def mount_command(self) -> str:
        """What root types to bring it back, after a restart of the machine, say."""
        words = ["mount", "-t", self.kind, "-o", OPTIONS[self.kind], str(self.image), str(self.mount)]
        return f"sudo {shlex.join(words)}"

    def require(self) -> Pool:
        """The pool itself when it can be used.

        Raises:
            ResourceError: it is not mounted, or is being removed; the hint is what to type.
        """
        if self.removing:
            raise ResourceError(
                "the pool is being removed", where=str(self.mount), hint="finish that with `dataops pool rm`"
            )
        if not self.mounted:
            raise ResourceError("the pool is not mounted", where=str(self.mount), hint=self.mount_command)
        return self

    def to_json(self) -> dict[str, Any]:
        """What the record holds."""
        return {**asdict(self), "image": str(self.image), "mount": str(self.mount)}


def read_pool(home: Path) -> Pool | None:
    """The pool of a home, None when it has none.

    Raises:
        ConfigurationError: the record cannot be read, so that nobody can tell where data belong.
    """
    path = home / RECORD
    found = read_record(path)
    if found is None and not path.exists():
        return None
    try:
        if found is None or found["kind"] not in OPTIONS:
            raise ValueError(RECORD)
        return Pool(
            str(found["kind"]),
            Path(found["image"]),
            Path(found["mount"]),
            int(found["size"]),
            int(found["owner"]),
            bool(found.get("boot")),
            bool(found.get("removing")),
        )
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(
            "the record of the pool cannot be read",
            where=str(path),
            hint="remove it, then write it anew with `dataops pool create`, which keeps what is in the pool",
        ) from None


def missing_pool(root: Path) -> str:
    """What to type to bring back the pool that an environment's folder lies in; "" when nothing is missing."""
    try:
        return (root.parents[3] / NOTE).read_text(encoding="utf-8").strip()
    except (OSError, IndexError):
        return ""


def require_pool(root: Path) -> None:
    """Makes sure that the pool that an environment's folder lies in is there: what is missing is not gone.

    Raises:
        ResourceError: it is not mounted; the hint is what to type.
    """
    if command := missing_pool(root):
        raise ResourceError("the pool is not mounted", where=str(root.parents[3]), hint=command)


def write_pool(home: Path, pool: Pool) -> None:
    """Records a pool.

    Raises:
        ResourceError: the record cannot be written.
    """
    write_record(home / RECORD, pool.to_json())
    if os.geteuid() == 0 and pool.owner != 0:
        os.chown(home / RECORD, pool.owner, -1)
