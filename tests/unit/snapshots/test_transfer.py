"""Snapshots carried to another storage and from there to another machine: whole, or not to be seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataops.infra.errors import AuthenticationError, ConfigurationError, NotFoundError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.bucket import Bucket
from dataops.snapshots.storage.base import Storage
from dataops.snapshots.storage.memory import MemoryStorage
from dataops.snapshots.store import list_snapshots
from dataops.snapshots.transfer import pull, push
from support.made_snapshots import changed, layout_in, make_snapshot, other_machine, some_rows
from support.s3_server import S3Server, bucket_storage
from support.stored_snapshots import all_chunks, check, chunks_of, texts

ROWS = some_rows(8000)


@pytest.fixture
def layout(tmp_path: Path) -> PlatformLayout:
    return layout_in(tmp_path)


def to_and_fro(layout: PlatformLayout, storage: Storage) -> None:
    first = make_snapshot(layout, {"raw.a": b"".join(ROWS)}, {"x.bin": b"x" * 1000})
    second = make_snapshot(layout, {"raw.a": b"".join(changed(ROWS, 0.01))}, {"x.bin": b"x" * 1000}, day=1)
    one = push(layout, first.id, storage)
    two = push(layout, second.id, storage)
    assert one.chunks == one.of > two.chunks > 0 and two.bytes < one.bytes
    again = push(layout, second.id, storage)
    assert again.chunks == again.bytes == 0
    other = other_machine(layout)
    pulled = pull(other, second.id, storage)
    assert pulled.chunks == pulled.of
    assert list_snapshots(other) == [second] and all_chunks(other) == chunks_of(other)
    check(other, second)
    assert texts(other, second) == texts(layout, second)
    assert pull(other, second.id, storage).chunks == 0
    assert 0 < pull(other, first.id, storage).of
    assert list_snapshots(other) == [first, second]
    assert list(other.snapshots.glob(".partial*")) == []


def test_a_snapshot_goes_to_another_storage_and_comes_back_on_another_machine(layout: PlatformLayout) -> None:
    to_and_fro(layout, MemoryStorage())


def test_a_snapshot_goes_to_a_bucket_and_comes_back_on_another_machine(layout: PlatformLayout, s3: S3Server) -> None:
    to_and_fro(layout, bucket_storage(s3))


def test_what_is_damaged_or_missing_there_is_told_and_leaves_nothing_here(layout: PlatformLayout) -> None:
    storage = MemoryStorage()
    manifest = make_snapshot(layout, {"raw.a": b"".join(ROWS)})
    push(layout, manifest.id, storage)
    other = other_machine(layout)
    whole = dict(storage.contents)
    for name, data in whole.items():
        for spoiled in (None, data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]):
            storage.contents = {n: d for n, d in whole.items() if n != name}
            if spoiled is not None:
                storage.contents[name] = spoiled
            with pytest.raises((VerificationError, NotFoundError)):
                pull(other, manifest.id, storage)
            assert list_snapshots(other) == [] and all_chunks(other) == set(), name
    storage.contents = whole
    pull(other, manifest.id, storage)
    check(other, manifest)


def test_a_machine_without_the_keys_pulls_nothing(layout: PlatformLayout) -> None:
    storage = MemoryStorage()
    manifest = make_snapshot(layout, {"raw.a": b"1\n"})
    push(layout, manifest.id, storage)
    other = other_machine(layout)
    (other.keys / "store.key").unlink()
    with pytest.raises(AuthenticationError, match="store key is not on this machine"):
        pull(other, manifest.id, storage)
    assert not other.snapshots.exists()


def test_a_push_that_is_cut_off_cannot_be_seen_and_the_next_one_goes_on(layout: PlatformLayout) -> None:
    class Failing(MemoryStorage):
        left = 2

        def write(self, name: str, data: bytes) -> None:
            self.left -= 1
            if self.left < 0:
                raise AuthenticationError("no more")
            super().write(name, data)

    storage = Failing()
    manifest = make_snapshot(layout, {"raw.a": b"".join(ROWS)}, {"x.bin": b"x"})
    with pytest.raises(AuthenticationError):
        push(layout, manifest.id, storage)
    assert f"{manifest.id}/manifest.json" not in storage.contents
    storage.left = 100
    carried = push(layout, manifest.id, storage)
    assert 0 < carried.chunks < carried.of
    pull(other_machine(layout), manifest.id, storage)


def test_what_is_no_place_for_snapshots_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no place for snapshots"):
        Bucket.parse("ftp://x")
