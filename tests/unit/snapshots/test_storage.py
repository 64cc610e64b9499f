"""The contract of storages, tried on each of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dataops.infra.errors import ResourceError
from dataops.snapshots.storage.base import Storage
from dataops.snapshots.storage.local import LocalStorage
from dataops.snapshots.storage.memory import MemoryStorage
from support.s3_server import bucket_storage


@pytest.fixture(params=["local", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return bucket_storage(request.getfixturevalue("s3"))
    return LocalStorage(tmp_path / "store") if request.param == "local" else MemoryStorage()


def test_what_was_written_is_read_and_measured(storage: Storage) -> None:
    assert storage.read("chunks/aa/x") is None and storage.size("chunks/aa/x") is None
    storage.write("chunks/aa/x", b"one")
    storage.settle(["chunks/aa/x"])
    assert storage.read("chunks/aa/x") == b"one" and storage.size("chunks/aa/x") == 3
    storage.write("chunks/aa/x", b"")
    assert storage.read("chunks/aa/x") == b"" and storage.size("chunks/aa/x") == 0
    assert storage.read("chunks/aa/x/y") is None and storage.size("chunks/aa/x/y") is None
    assert storage.describe("chunks/aa/x").endswith("chunks/aa/x")


def test_what_exists_is_not_created_again(storage: Storage) -> None:
    assert storage.create("a/manifest.json", b"one")
    assert not storage.create("a/manifest.json", b"one")
    assert not storage.create("a/manifest.json", b"two")
    assert storage.read("a/manifest.json") == b"one"
    storage.delete("a/manifest.json")
    assert storage.create("a/manifest.json", b"two")


def test_of_many_who_create_at_once_one_succeeds(storage: Storage) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: storage.create("a/b", f"{n}".encode()), range(40)))
    assert won.count(True) == 1
    assert storage.read("a/b") == f"{won.index(True)}".encode()


def test_what_was_deleted_is_gone_and_may_be_deleted_again(storage: Storage) -> None:
    storage.write("a/b/c", b"x")
    storage.write("a/d", b"y")
    storage.delete("a/b/c")
    storage.delete("a/b/c")
    storage.delete("never/there")
    assert list(storage.names()) == [("a/d", 1)]


def test_names_come_in_order_with_sizes_and_by_their_beginning(storage: Storage) -> None:
    for name in ("b/2", "a/1", "a-/1", "a/10", "chunks/00/x", "chunks/0a/x", "b/1/x"):
        storage.write(name, name.encode())
    every = ["a-/1", "a/1", "a/10", "b/1/x", "b/2", "chunks/00/x", "chunks/0a/x"]
    assert list(storage.names()) == [(name, len(name)) for name in every]
    for beginning in ("a", "a/", "a/1", "chunks/0", "chunks/0a/", "b/1/x", "x", "x/y"):
        assert [name for name, _ in storage.names(beginning)] == [n for n in every if n.startswith(beginning)]


def test_many_may_write_and_delete_in_one_folder_at_once(storage: Storage) -> None:
    def work(number: int) -> None:
        for turn in range(20):
            storage.write(f"chunks/aa/{number}", b"%d" % turn)
            storage.delete(f"chunks/aa/{number}")
        storage.write(f"chunks/aa/{number}", b"at last")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert [data for _, data in storage.names("chunks/")] == [7] * 8


def test_a_local_storage_is_its_owners_alone_and_shows_nothing_that_begins_with_a_dot(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "store")
    storage.write("chunks/aa/x", b"x")
    storage.create("a/b", b"x")
    modes = {path.is_dir(): path.stat().st_mode & 0o777 for path in (tmp_path / "store").rglob("*")}
    assert modes == {True: 0o700, False: 0o600} and (tmp_path / "store").stat().st_mode & 0o777 == 0o700
    (tmp_path / "store" / ".lock").touch()
    (tmp_path / "store" / "a" / ".draft-b").touch()
    assert [name for name, _ in storage.names()] == ["a/b", "chunks/aa/x"]
    assert [path.name for path in storage.drafts()] == [".draft-b"]


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    import resource

    storage = LocalStorage(tmp_path)
    storage.write("a/b", b"before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        for write in (storage.write, storage.create):
            with pytest.raises(ResourceError, match="no room left"):
                write("a/b" if write == storage.write else "a/c", bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert storage.read("a/b") == b"before" and [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
