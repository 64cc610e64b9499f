"""Snapshots in a bucket: one machine writes at a time, what others have stays, faults of the server lose nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from dataops.infra.errors import DeadlineError, LockedError, NotFoundError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.state.s3_storage import S3Storage as StateStorage
from dataops.snapshots.bucket import LOCK, Bucket, list_held, newest_held, remove_held
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.removal import Bounds, decide, retain
from dataops.snapshots.storage.base import Storage
from dataops.snapshots.storage.memory import MemoryStorage
from dataops.snapshots.store import list_snapshots, open_snapshot, snapshot_ids
from dataops.snapshots.transfer import pull, push
from support.faulty_proxy import FaultyProxy
from support.made_snapshots import BEGIN, changed, layout_in, make_snapshot, other_machine, some_rows
from support.s3_server import S3Server
from support.stored_snapshots import check, texts

ROWS = some_rows(8000)
KINDS = ("busy", "cut request", "cut answer")


@pytest.fixture
def layout(tmp_path: Path) -> PlatformLayout:
    return layout_in(tmp_path)


def some_snapshots(layout: PlatformLayout, count: int) -> list[Manifest]:
    """Snapshots of successive days, each sharing most of its data with the one before."""
    return [
        make_snapshot(
            layout, {"raw.a": b"".join(changed(ROWS, 0.01, seed=day) if day else ROWS)}, {"x": b"%d" % day}, day=day
        )
        for day in range(count)
    ]


@contextmanager
def faulty(s3: S3Server) -> Iterator[tuple[FaultyProxy, Bucket]]:
    with FaultyProxy(s3.endpoint).running() as proxy:
        url = f"s3://{s3.bucket()}/shop?region=us-east-1&endpoint={proxy.endpoint}&s3ForcePathStyle=true"
        yield proxy, Bucket.parse(url)


@pytest.mark.slow
def test_what_a_busy_server_refuses_and_a_bad_line_cuts_is_sent_again_until_all_is_there(
    layout: PlatformLayout, s3: S3Server
) -> None:
    (manifest,) = some_snapshots(layout, 1)
    with faulty(s3) as (proxy, bucket):
        for kind in KINDS:
            proxy.fault = lambda method, number, kind=kind: kind if number % 2 else ""  # type: ignore[misc]
            push(layout, manifest.id, bucket.storage)
            other = other_machine(layout)
            pull(other, manifest.id, bucket.storage)
            check(other, manifest)
            shutil.rmtree(other.snapshots.parent)
        assert all(proxy.met[kind] for kind in KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_does_not_recover_is_told_and_leaves_nothing_to_be_seen(
    layout: PlatformLayout, s3: S3Server, kind: str
) -> None:
    (manifest,) = some_snapshots(layout, 1)
    with faulty(s3) as (proxy, bucket):
        if kind == "cut answer":
            push(layout, manifest.id, bucket.storage)
        proxy.fault = lambda method, number: kind
        other = other_machine(layout)
        with pytest.raises(DeadlineError) as told:
            if kind == "cut answer":
                pull(other, manifest.id, bucket.storage)
            else:
                push(layout, manifest.id, bucket.storage)
        assert told.value.hint and "the state" not in f"{told.value} {told.value.hint}"
        proxy.fault = lambda method, number: ""
        if kind != "cut answer":
            assert snapshot_ids(bucket.storage) == []
        assert list_snapshots(other) == []
        push(layout, manifest.id, bucket.storage)
        pull(other, manifest.id, bucket.storage)
        check(other, manifest)


@pytest.mark.slow
def test_who_writes_to_a_bucket_keeps_others_out_and_a_dead_writer_does_not(s3: S3Server) -> None:
    name = s3.bucket()
    bucket = Bucket.parse(s3.url(name, "/shop"))
    with bucket.exclusively("snapshot push 1") as still_ours:
        with pytest.raises(LockedError, match="somebody else is at work on the snapshots") as told:
            with bucket.exclusively("snapshot removal"):
                pass
        assert "snapshot push 1" in str(told.value.where)
        still_ours()
        lock = StateStorage(bucket.location).read(LOCK.name)
        assert lock is not None
        s3.client().delete_object(Bucket=name, Key=f"shop/{LOCK.name}")
        with pytest.raises(LockedError, match="was broken"):
            still_ours()
    dead = lock.replace(b'"processStart": "', b'"processStart": "1')
    s3.client().put_object(Bucket=name, Key=f"shop/{LOCK.name}", Body=dead)
    with bucket.exclusively("snapshot removal"):
        pass
    assert s3.objects(name) == {}


@pytest.mark.slow
def test_what_is_removed_takes_only_chunks_that_no_other_snapshot_has(layout: PlatformLayout, s3: S3Server) -> None:
    removal(layout, Bucket.parse(s3.url(s3.bucket(), "/shop")).storage)


def test_removal_is_the_same_in_memory(layout: PlatformLayout) -> None:
    removal(layout, MemoryStorage())


def removal(layout: PlatformLayout, storage: Storage) -> None:
    made = some_snapshots(layout, 4)
    for manifest in made:
        push(layout, manifest.id, storage)
    held = list_held(storage, layout.keys)
    assert [one.manifest for one in held] == made and all(one.stored > 0 for one in held)
    assert newest_held(storage, layout.keys) == made[-1].id
    taken = sum(size for _, size in storage.names())
    decided = retain(storage, layout.keys, Bounds(1, timedelta(days=2), BEGIN + timedelta(days=3.5)))
    assert decided.going == (made[0].id, made[1].id)
    storage.write("chunks/00/nobody", b"of a push that was cut off")
    freed = remove_held(storage, decided.going, layout.keys)
    assert snapshot_ids(storage) == [made[2].id, made[3].id]
    assert sum(size for _, size in storage.names()) < taken and freed > 26
    assert storage.read("chunks/00/nobody") is None
    for manifest in made[2:]:
        reader = open_snapshot(storage, manifest, layout.keys)
        reader.check_present()
        assert {label: b"".join(reader.read(label)) for label in reader.contents.parts} == texts(layout, manifest)
    with pytest.raises(NotFoundError, match="in the bucket"):
        remove_held(storage, [made[0].id, made[3].id], layout.keys)
    assert newest_held(storage, layout.keys) == made[3].id
    remove_held(storage, [made[2].id, made[3].id], layout.keys)
    assert list(storage.names()) == []
    with pytest.raises(NotFoundError, match="no snapshot in the bucket"):
        newest_held(storage, layout.keys)


def test_the_newest_snapshot_with_all_rows_stays_in_a_bucket_whatever_subsets_came_since(
    layout: PlatformLayout,
) -> None:
    storage = MemoryStorage()
    days = [("raw.a:50%",), (), (), ("raw.a:50%",), ("raw.a:50%",)]
    made = [make_snapshot(layout, {"raw.a": b"1\n"}, day=day, rules=rules).id for day, rules in enumerate(days)]
    push(layout, made[0], storage)
    assert newest_held(storage, layout.keys) == made[0]
    for snapshot in made[1:]:
        push(layout, snapshot, storage)
    assert newest_held(storage, layout.keys) == made[2]
    decided = retain(storage, layout.keys, Bounds(keep=1))
    assert decided.going == (made[0], made[1], made[3]) and decided == decide(layout, {}, Bounds(keep=1))
    remove_held(storage, decided.going, layout.keys)
    assert newest_held(storage, layout.keys) == made[2]


def test_nothing_is_removed_when_it_cannot_be_told_what_others_have(layout: PlatformLayout) -> None:
    storage = MemoryStorage()
    first, second = some_snapshots(layout, 2)
    for manifest in (first, second):
        push(layout, manifest.id, storage)
    storage.contents[f"{second.id}/index"] = b"torn"
    chunks = {name for name in storage.contents if name.startswith("chunks/")}
    with pytest.raises(VerificationError, match="no chunk is removed"):
        remove_held(storage, [first.id], layout.keys)
    assert chunks == {name for name in storage.contents if name.startswith("chunks/")}


def test_chunks_are_kept_when_the_bucket_is_somebody_elses_by_now(layout: PlatformLayout) -> None:
    storage = MemoryStorage()
    first, second = some_snapshots(layout, 2)
    for manifest in (first, second):
        push(layout, manifest.id, storage)

    def lost() -> None:
        raise LockedError("the lock was broken")

    with pytest.raises(LockedError):
        remove_held(storage, [first.id], layout.keys, lost)
    pull(other_machine(layout), second.id, storage)
    storage.contents.clear()
    with pytest.raises(LockedError):
        push(layout, second.id, storage, lost)
    assert snapshot_ids(storage) == []
