"""Clones on real file systems: by the best technique that there is, writable, apart from their source, and measured."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataops.infra.process.cloning import clone_tree, make_clonable, technique_at
from dataops.infra.process.extents import extents_of
from dataops.infra.process.removal import remove_tree
from dataops.infra.process.subvolumes import snapshot_subvolume
from support.pools import left_out, shared_blocks
from support.postgres import open_directory

MEGABYTE = 1 << 20


def fill(source: Path) -> Path:
    """A read-only tree with four megabytes in it, as golden directories are."""
    make_clonable(source)
    (source / "base").mkdir()
    (source / "base" / "1").write_bytes(os.urandom(4 * MEGABYTE))
    (source / "skipped").write_text("x")
    (source / "link").symlink_to("base/1")
    (source / "base" / "1").chmod(0o400)
    (source / "base").chmod(0o500)
    os.sync()
    return source


def check_clone(source: Path, target: Path) -> None:
    """A clone is the same, can be written, and what is written to it stays in it."""
    before = (source / "base" / "1").read_bytes()
    assert (target / "base" / "1").read_bytes() == before
    assert sorted(path.name for path in target.iterdir()) == ["base", "link"]
    assert [(target / name).stat().st_mode & 0o777 for name in ("base", "base/1")] == [0o700, 0o600]
    with open(target / "base" / "1", "r+b") as file:
        file.write(b"changed")
    (target / "base" / "2").touch()
    assert (source / "base" / "1").read_bytes() == before
    assert not (source / "base" / "2").exists()


def test_probing_a_place_leaves_nothing_there(tmp_path: Path) -> None:
    assert technique_at(tmp_path) in ("reflink", "snapshot", "copy")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_probe_left_is_removed_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    left, used = tmp_path / ".dataops-probe-left", tmp_path / ".dataops-probe-used"
    for folder in (left, used):
        folder.mkdir()
        fill(folder / "source")
    descriptor = os.open(used, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        technique_at(tmp_path)
        assert list(tmp_path.iterdir()) == [used]
    finally:
        os.close(descriptor)
    technique_at(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_clone_on_any_file_system_is_apart_from_its_source(tmp_path: Path) -> None:
    source = fill(tmp_path / "source")
    clone_tree(source, tmp_path / "clone", skip=["skipped"])
    check_clone(source, tmp_path / "clone")
    remove_tree(source)


if not left_out():

    @pytest.fixture(scope="module", params=["xfs", "btrfs"])
    def place(request: pytest.FixtureRequest) -> Iterator[Path]:
        with open_directory() as folder, shared_blocks(folder, request.param):
            yield folder

    @pytest.fixture
    def folder(place: Path, request: pytest.FixtureRequest) -> Path:
        folder = place / f"folder{sum(1 for _ in place.iterdir())}"
        folder.mkdir()
        return folder

    def test_a_clone_shares_every_block_until_it_is_written(folder: Path) -> None:
        source = fill(folder / "source")
        assert extents_of(source).own >= 4 * MEGABYTE
        technique = clone_tree(source, folder / "clone", skip=["skipped"]).technique
        assert technique == technique_at(folder)
        os.sync()
        for tree in (source, folder / "clone"):
            extents = extents_of(tree)
            assert extents.logical >= 4 * MEGABYTE
            assert extents.own < MEGABYTE
        check_clone(source, folder / "clone")
        with open(folder / "clone" / "base" / "1", "r+b") as file:
            file.write(os.urandom(MEGABYTE))
            os.fsync(file.fileno())
        assert MEGABYTE <= extents_of(folder / "clone").own < 2 * MEGABYTE
        for tree in (source, folder / "clone"):
            remove_tree(tree)
        assert list(folder.iterdir()) == []

    def test_a_clone_of_a_clone_is_apart_from_both(folder: Path) -> None:
        source = fill(folder / "source")
        clone_tree(source, folder / "clone", skip=["skipped"])
        clone_tree(folder / "clone", folder / "second")
        check_clone(source, folder / "clone")
        (folder / "second" / "base" / "1").write_bytes(b"short")
        assert (folder / "clone" / "base" / "1").stat().st_size == 4 * MEGABYTE

    def test_a_folder_that_is_no_subvolume_is_cloned_file_by_file(folder: Path) -> None:
        (folder / "plain").mkdir()
        (folder / "plain" / "data").write_bytes(os.urandom(MEGABYTE))
        assert not snapshot_subvolume(folder / "plain", folder / "snapshot")
        assert clone_tree(folder / "plain", folder / "clone").technique == "reflink"

    def test_a_folder_that_was_begun_is_filled(folder: Path) -> None:
        source = fill(folder / "source")
        (folder / "clone").mkdir()
        assert clone_tree(source, folder / "clone", skip=["skipped"]).technique == technique_at(folder)
        check_clone(source, folder / "clone")

    def test_an_environment_with_a_cloned_database_is_removed_as_one_folder(folder: Path) -> None:
        source, root = fill(folder / "source"), folder / "environment"
        root.mkdir()
        clone_tree(source, root / "postgres", skip=["skipped"])
        root.rename(folder / "doomed")
        remove_tree(folder / "doomed")
        assert [path.name for path in folder.iterdir()] == ["source"]

    def test_between_file_systems_every_byte_is_copied(folder: Path, tmp_path: Path) -> None:
        source = fill(tmp_path / "source")
        assert clone_tree(source, folder / "clone", skip=["skipped"]).technique == "copy"
        check_clone(source, folder / "clone")
