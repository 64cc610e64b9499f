"""Snapshots taken away, shredded and pinned; what is in use, pinned or being read stays.

Decided first, as a list of what goes and what stays and why; `remove` carries it out, each snapshot under a lock that
whoever restores it holds. The manifest goes first: from then on the snapshot does not exist. Its chunks go in a sweep
(see `sweep`), at once or, when a capture is under way, at the end of that.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dataops.infra.errors import LockedError, NotFoundError, PolicyError
from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.contents import PIN, SHREDDED, is_shredded
from dataops.snapshots.golden import is_being_built, remove_golden
from dataops.snapshots.manifest import FILE
from dataops.snapshots.storage.base import Storage
from dataops.snapshots.storage.local import LocalStorage, sync
from dataops.snapshots.store import LISTED, locked, newest_in, snapshot_ids
from dataops.snapshots.sweep import REMOVED, destroy_key, sweep, traces

Used = Callable[[], Mapping[str, Sequence[str]]]
"""Gives the environments that are made of a snapshot, by its id."""


@dataclass(frozen=True, slots=True)
class Retained:
    """A snapshot that stays, and why."""

    snapshot: str
    why: str


@dataclass(frozen=True, slots=True)
class Retention:
    """What a removal decided: which snapshots go, oldest first, and which stay."""

    going: tuple[str, ...]
    staying: tuple[Retained, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal did.

    Args:
        snapshots: those that are gone.
        left: those that turned out to be in use meanwhile.
        freed: bytes that were made free; None when that is left to the capture that is under way.
    """

    snapshots: tuple[str, ...]
    left: tuple[Retained, ...]
    freed: int | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a prune keeps.

    Args:
        keep: how many of the newest stay; with any of them the newest that is no subset does.
        older_than: only what is older goes.
        now: the time; by default that of the clock.
    """

    keep: int | None = None
    older_than: timedelta | None = None
    now: datetime | None = None


def decide(layout: PlatformLayout, used: Mapping[str, Sequence[str]], bounds: Bounds) -> Retention:
    """Decides what a prune removes: what is neither among the newest nor young, nor pinned, nor in use.

    Args:
        used: the environments that are made of a snapshot, by its id.

    Raises:
        VerificationError: one of the newest manifests is torn or was tampered with.
    """
    storage = LocalStorage(layout.snapshots)
    return retain(storage, layout.keys, bounds, lambda snapshot: _in_use(layout, snapshot, used))


def retain(
    storage: Storage, key_directory: Path, bounds: Bounds, needed: Callable[[str], str] = lambda snapshot: ""
) -> Retention:
    """Decides what a prune removes of a storage.

    Args:
        needed: says why a snapshot is needed; "" if it is not.

    Raises:
        VerificationError: one of the newest manifests is torn or was tampered with.
    """
    ids, older_than = snapshot_ids(storage), bounds.older_than
    newest_ones = set(ids[-bounds.keep :] if bounds.keep else ())
    if bounds.keep and (newest := newest_in(storage, key_directory)):
        newest_ones.add(newest.id)  # subsets taken since do not replace it
    limit = (bounds.now or datetime.now(UTC)) - older_than if older_than is not None else None
    going, staying = [], []
    for snapshot in ids:
        why = needed(snapshot)
        if not why and snapshot in newest_ones:
            why = "it is among the newest"
        elif not why and limit is not None and taken_at(snapshot) > limit:
            why = "it is not that old"
        if why:
            staying.append(Retained(snapshot, why))
        else:
            going.append(snapshot)
    return Retention(tuple(going), tuple(staying))


def taken_at(snapshot: str) -> datetime:
    """When a snapshot was taken; its id says it to the second."""
    return datetime.strptime(snapshot.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def check_free(layout: PlatformLayout, snapshot: str, used: Mapping[str, Sequence[str]]) -> None:
    """Refuses to take a snapshot away that is needed.

    Raises:
        NotFoundError: there is no such snapshot.
        PolicyError: it is pinned, or an environment is made of it.
    """
    if snapshot not in snapshot_ids(LocalStorage(layout.snapshots)):
        raise NotFoundError(f"there is no snapshot `{snapshot}`", hint=LISTED)
    if why := _in_use(layout, snapshot, used):
        hint = f"`dataops snapshot unpin {snapshot}`" if "pinned" in why else "take the environment down first"
        raise PolicyError(f"the snapshot {snapshot} stays: {why}", hint=hint)


def remove(layout: PlatformLayout, snapshots: Collection[str], used: Used = dict) -> Removed:
    """Takes snapshots away, with the golden directories that were made of them, and sweeps.

    Args:
        snapshots: their ids; without any only what a killed removal left is swept.
        used: asked again for each, when nobody can begin to use it any more: somebody may have begun since `decide`.

    Raises:
        VerificationError: it cannot be told which chunks another snapshot has; then only manifests are gone.
    """
    gone, left = [], []
    for snapshot in snapshots:
        try:
            with _alone(layout, snapshot) as folder:
                if why := _in_use(layout, snapshot, used()):
                    left.append(Retained(snapshot, why))
                    continue
                (layout.snapshots / REMOVED).touch(mode=0o600)
                sync(layout.snapshots)
                (folder / FILE).unlink()
                sync(folder)
            gone.append(snapshot)
        except LockedError as error:
            left.append(Retained(snapshot, error.what))
    for snapshot in gone:
        _remove_golden(layout, snapshot)
    unfinished = bool(gone or traces(layout.snapshots))  # by this removal, or by one that was killed
    return Removed(tuple(gone), tuple(left), _sweep(layout) if unfinished else 0)


def shred(layout: PlatformLayout, snapshot: str, used: Used = dict) -> Removed:
    """Destroys the key of a snapshot, and with it what can be known of its data; the manifest stays.

    Args:
        snapshot: its id.
        used: as for `remove`.

    Raises:
        LockedError: somebody is restoring it.
        PolicyError: somebody has begun to use it.
    """
    with _alone(layout, snapshot):
        check_free(layout, snapshot, used())
        (layout.snapshots / REMOVED).touch(mode=0o600)
        LocalStorage(layout.snapshots).create(f"{snapshot}/{SHREDDED}", _note(""))
        destroy_key(layout.snapshots, snapshot)
    _remove_golden(layout, snapshot)
    return Removed((snapshot,), (), _sweep(layout))


def pin(layout: PlatformLayout, snapshot: str, why: str = "") -> None:
    """Keeps a snapshot from being removed.

    Raises:
        NotFoundError: there is no such snapshot.
    """
    storage = LocalStorage(layout.snapshots)
    if snapshot not in snapshot_ids(storage):
        raise NotFoundError(f"there is no snapshot `{snapshot}`", hint=LISTED)
    storage.write(f"{snapshot}/{PIN}", _note(why))
    storage.settle([f"{snapshot}/{PIN}"])


def _note(why: str) -> bytes:
    note = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "why": why}
    return json.dumps(note).encode() + b"\n"


def unpin(layout: PlatformLayout, snapshot: str) -> None:
    """Takes a pin away; that there is none is no error."""
    LocalStorage(layout.snapshots).delete(f"{snapshot}/{PIN}")


def pinned(layout: PlatformLayout, snapshot: str) -> str | None:
    """Why a snapshot is pinned, "" if nothing was said; None when it is not."""
    text = LocalStorage(layout.snapshots).read(f"{snapshot}/{PIN}")
    if text is None:
        return None
    try:
        return str(json.loads(text)["why"])
    except (ValueError, KeyError, TypeError):
        return ""


def shredded(layout: PlatformLayout, snapshot: str) -> bool:
    """Whether the key of a snapshot was destroyed."""
    return is_shredded(LocalStorage(layout.snapshots), snapshot)


def _in_use(layout: PlatformLayout, snapshot: str, used: Mapping[str, Sequence[str]]) -> str:
    why = pinned(layout, snapshot)
    if why is not None:
        return f"it is pinned ({why})" if why else "it is pinned"
    if names := used.get(snapshot):
        return f"{', '.join(names)} is made of it" if len(names) == 1 else f"{', '.join(names)} are made of it"
    if any(is_being_built(place) for place in _golden(layout, snapshot)):
        return "somebody is restoring it"
    return ""


def _golden(layout: PlatformLayout, snapshot: str) -> list[Path]:
    return sorted(layout.golden.glob(f"{snapshot}[_-]*"))  # that of its schema alone, too


def _remove_golden(layout: PlatformLayout, snapshot: str) -> None:
    for place in _golden(layout, snapshot):
        if not is_being_built(place):
            remove_golden(place)


def _sweep(layout: PlatformLayout) -> int | None:
    try:
        with locked(layout.snapshots):
            return sweep(layout.snapshots, layout.keys)
    except LockedError:
        return None


@contextmanager
def _alone(layout: PlatformLayout, snapshot: str) -> Iterator[Path]:
    """Holds a snapshot while nobody reads it; gives its folder.

    Raises:
        LockedError: somebody does.
        NotFoundError: there is no such snapshot.
    """
    folder = layout.snapshots / snapshot
    try:
        held = open(folder / FILE, "rb")
    except FileNotFoundError:
        raise NotFoundError(f"there is no snapshot `{snapshot}`", hint=LISTED) from None
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"somebody is restoring the snapshot {snapshot}", where=str(folder)) from None
        yield folder
