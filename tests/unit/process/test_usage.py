"""Folders in use are not removed, and go with their last user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dataops.infra.process.usage import hold, is_used, reinstate, remove_retired, retire
from dataops.infra.providers.base import Operation, Recorded
from dataops.infra.providers.local.worktree import WorktreeHandler
from support.scratch_git import git, repository


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "code" / "abc"
    made.mkdir(parents=True)
    (made / "file").write_text("x")
    return made


def test_a_folder_that_nobody_uses_is_not_retired(folder: Path) -> None:
    assert not is_used(folder) and retire(folder) is False
    assert sorted(path.name for path in folder.parent.iterdir()) == ["abc"]


def test_a_folder_in_use_stays_until_its_last_user_has_gone(folder: Path, tmp_path: Path) -> None:
    first, second = hold(folder), hold(folder)
    assert retire(folder) is True
    os.close(first)
    assert remove_retired(tmp_path) == [] and folder.is_dir()
    os.close(second)
    assert remove_retired(tmp_path) == [folder]
    assert list(folder.parent.iterdir()) == []


def test_a_folder_that_is_wanted_again_stays(folder: Path, tmp_path: Path) -> None:
    user = hold(folder)
    retire(folder)
    reinstate(folder)
    os.close(user)
    assert remove_retired(tmp_path) == [] and folder.is_dir()


def test_the_checkout_of_a_run_outlives_an_update_and_keeps_work_that_is_in_no_commit(tmp_path: Path) -> None:
    source = repository(tmp_path / "repo", {"a.txt": "1"})
    place = tmp_path / "env" / "code" / "abc"
    inputs = {"repository": str(source), "commit": git(source, "rev-parse", "HEAD"), "path": str(place)}
    operation, handler = Operation(urn="u"), WorktreeHandler()
    made = handler.create(operation, inputs)
    recorded = Recorded(made.id, inputs, made.outputs)
    user = hold(place)
    handler.delete(operation, recorded)
    assert (place / "a.txt").is_file()
    os.close(user)
    (place / "mine.txt").write_text("my only copy")
    assert remove_retired(tmp_path / "env") == []
    (place / "mine.txt").unlink()
    assert remove_retired(tmp_path / "env") == [place]
    handler.create(operation, inputs)
    assert (place / "a.txt").is_file()
