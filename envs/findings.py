"""What is found that nobody owns, and what is left alone: the values that a search gives and a collection acts on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dataops.envs.lock import holder_of
from dataops.envs.registry import EnvironmentRecord
from dataops.infra.platform.layout import PlatformLayout

ORDER = (
    "verification",
    "process",
    "container",
    "network",
    "volume",
    "image",
    "state",
    "worktree",
    "environment",
    "sockets",
    "golden",
    "snapshot",
    "lease",
    "record",
)
"""The kinds of findings, in the order in which they are removed: what would bring others back goes before them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that nobody owns.

    Args:
        kind: see `ORDER`.
        place: a path, a process as `pid name`, or a stack.
        ours: why it is ours.
        unowned: why nobody owns it.
        action: what is done about it.
        bytes: what it takes on the disk.
        name: the environment that it was part of, "" for none.
        identity: what tells it from whatever may stand there later.
    """

    kind: str
    place: str
    ours: str
    unowned: str
    action: str
    bytes: int = 0
    name: str = ""
    identity: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that looks unowned and is left alone, and why."""

    place: str
    why: str


def at_work(layout: PlatformLayout, record: EnvironmentRecord) -> bool:
    """Whether somebody changes an environment just now, or a pipeline runs in it."""
    from dataops.services.schedules import running_pipelines

    holder = holder_of(layout.registry, record.name)
    return (holder is not None and holder.alive()) or any(running_pipelines(Path(record.root)))


def identity_of(path: Path) -> tuple[str, ...]:
    """What tells a file or folder from another that is later at its place."""
    status = path.lstat()
    return (str(status.st_dev), str(status.st_ino))


def same(finding: Finding) -> bool:
    """Whether at the place of a finding there is still what was found."""
    try:
        return identity_of(Path(finding.place)) == finding.identity
    except OSError:
        return False
