"""Snapshots in a bucket: listed, removed, and kept from being written to by two machines at once.

A bucket is laid out as a store is, without what only this machine needs. Whoever writes to it holds a lease on it, an
object `lock.json`: what a push decides not to carry again, since it is there, cannot be swept away meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import ConfigurationError, DataopsError, LockedError, NotFoundError, VerificationError
from dataops.infra.state.holder import LockHolder
from dataops.infra.state.lease import Lease, LockPlace
from dataops.infra.state.s3_location import S3Location
from dataops.infra.state.s3_storage import S3Storage as StateStorage
from dataops.snapshots.chunks import FOLDER
from dataops.snapshots.manifest import FILE, Manifest
from dataops.snapshots.storage.base import Storage
from dataops.snapshots.storage.s3 import S3Storage
from dataops.snapshots.store import CENTURIES, newest_in, open_manifest, snapshot_ids
from dataops.snapshots.sweep import chunks_of
from dataops.snapshots.transfer import in_parallel

WHAT = "the snapshots"
LOCK = LockPlace("", "lock.json")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place for snapshots on a server that speaks the protocol of S3."""

    location: S3Location

    @classmethod
    def parse(cls, url: str) -> Bucket:
        """The place that a URL names: `s3://bucket/prefix?region=…`, with the parameters of a state's URL.

        Raises:
            ConfigurationError: it names none.
        """
        if not url.startswith("s3://"):
            raise ConfigurationError("this is no place for snapshots", hint="s3://bucket/prefix?region=eu-west-1")
        return cls(S3Location.parse(url, WHAT))

    @property
    def storage(self) -> Storage:
        """What is stored there."""
        return S3Storage(self.location)

    @contextmanager
    def exclusively(self, command: str) -> Iterator[Callable[[], None]]:
        """Holds the bucket while nobody else writes to it; gives what raises `LockedError` when it is ours no more.

        Args:
            command: what is done, for others who would like to.

        Raises:
            LockedError: another machine or process does, which may be alive.
        """

        def refusal(holders: list[LockHolder]) -> LockedError:
            who = ", ".join(f"{holder}: {holder.command}" for holder in holders) or "somebody who came at the same time"
            return LockedError(
                f"somebody else is at work on the snapshots in bucket {self.location.bucket!r}",
                where=who,
                hint="wait until that is over; the lock of one that died is void a minute after it last showed life",
            )

        lease = Lease.acquire(StateStorage(self.location), LOCK, "the bucket", refusal, command)
        try:
            yield lambda: lease.check(thoroughly=True)
        finally:
            lease.release()


@dataclass(frozen=True, slots=True)
class Held:
    """A snapshot in a bucket, with the bytes that its chunks take, of which others may have some, too."""

    manifest: Manifest
    stored: int


def list_held(storage: Storage, key_directory: Path) -> list[Held]:
    """What a bucket holds, oldest first; signatures are checked, data are not read.

    Raises:
        VerificationError: a manifest or an index is torn or was tampered with.
        AuthenticationError: the keys of the platform are not here, or are others.
    """
    found = []
    for snapshot in snapshot_ids(storage):
        manifest = open_manifest(storage, snapshot, key_directory)
        found.append(Held(manifest, sum(size for _, size in chunks_of(storage, manifest, key_directory))))
    return found


def newest_held(storage: Storage, key_directory: Path) -> str:
    """The id of the newest snapshot in a bucket that has all rows; of the newest subset where there are only subsets.

    Raises:
        NotFoundError: there is none.
        VerificationError: its manifest is torn or was tampered with.
    """
    found = newest_in(storage, key_directory)
    if found is None:
        hint = "put one there with `dataops snapshot push`"
        raise NotFoundError("there is no snapshot in the bucket", where=storage.url.partition("?")[0], hint=hint)
    return found.id


def remove_held(
    storage: Storage, snapshots: Collection[str], key_directory: Path, check: Callable[[], None] = lambda: None
) -> int:
    """Removes snapshots of a bucket, then all that no other has; gives the bytes that this made free.

    Args:
        check: called before chunks are deleted; raises when the bucket is somebody else's by now.

    Raises:
        NotFoundError: there is no such snapshot; nothing is removed.
        VerificationError: it cannot be told which chunks another snapshot has; then only manifests are gone.
    """
    for snapshot in set(snapshots).difference(snapshot_ids(storage)):
        raise NotFoundError(f"there is no snapshot `{snapshot}` in the bucket", hint="`dataops snapshot ls --at URL`")
    for snapshot in snapshots:
        storage.delete(f"{snapshot}/{FILE}")
    used, staying = set[str](), snapshot_ids(storage)
    for snapshot in staying:
        try:
            manifest = open_manifest(storage, snapshot, key_directory)
            used.update(name for name, _ in chunks_of(storage, manifest, key_directory))
        except DataopsError as error:
            raise VerificationError(
                f"no chunk is removed, since it cannot be told what the snapshot {snapshot} consists of",
                where=error.where,
                hint="if it is lost, remove it in the same way",
                details=error.what,
            ) from None
    check()
    doomed = {name: size for name, size in storage.names(f"{FOLDER}/") if name not in used}
    doomed |= {name: size for name, size in storage.names(CENTURIES) if name.partition("/")[0] not in staying}
    in_parallel(storage.delete, doomed)
    return sum(doomed.values())
