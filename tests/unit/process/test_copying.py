from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops.infra.errors import ResourceError
from dataops.infra.process.copying import copy_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "base" / "1").mkdir(parents=True)
    (tree / "base" / "1" / "segment").write_bytes(os.urandom(100_000))
    (tree / "empty").touch()
    (tree / "script").write_text("x")
    (tree / "script").chmod(0o750)
    (tree / "link").symlink_to("base/1")
    return tree


def test_a_copy_has_the_same_content_modes_and_links(tree: Path, tmp_path: Path) -> None:
    report = copy_tree(tree, tmp_path / "copy")
    copy = tmp_path / "copy"
    assert (copy / "base/1/segment").read_bytes() == (tree / "base/1/segment").read_bytes()
    assert (copy / "script").stat().st_mode == (tree / "script").stat().st_mode
    assert os.readlink(copy / "link") == "base/1"
    assert (report.files, report.bytes >= 100_001) == (4, True)
    assert report.technique in ("reflink", "copy")


def test_a_write_to_the_copy_does_not_reach_the_source(tree: Path, tmp_path: Path) -> None:
    before = (tree / "base/1/segment").read_bytes()
    copy_tree(tree, tmp_path / "copy")
    with open(tmp_path / "copy/base/1/segment", "r+b") as file:
        file.write(b"changed")
    assert (tree / "base/1/segment").read_bytes() == before


def test_a_copy_of_a_read_only_tree_can_be_written_by_its_owner(tree: Path, tmp_path: Path) -> None:
    (tree / "script").chmod(0o400)
    (tree / "base").chmod(0o500)
    copy_tree(tree, tmp_path / "copy")
    assert (tmp_path / "copy/script").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "copy/base").stat().st_mode & 0o777 == 0o700
    (tree / "base").chmod(0o700)


def test_sockets_and_skipped_files_are_left_out(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        copy_tree(tree, tmp_path / "copy", skip=["base/1/segment", "empty"])
    assert sorted(p.name for p in (tmp_path / "copy").rglob("*")) == ["1", "base", "link", "script"]


def test_a_copy_begun_before_is_completed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "script").write_text("half")
    copy_tree(tree, tmp_path / "copy")
    assert (tmp_path / "copy" / "script").read_text() == "x"


def test_nothing_to_copy_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="nothing to copy"):
        copy_tree(tmp_path / "missing", tmp_path / "copy")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.binary(max_size=70_000), max_size=5))
def test_every_byte_is_copied(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("tree")
    (folder / "source").mkdir()
    for index, content in enumerate(contents):
        (folder / "source" / str(index)).write_bytes(content)
    copy_tree(folder / "source", folder / "target")
    assert [(folder / "target" / str(i)).read_bytes() for i in range(len(contents))] == contents
