from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dataops.infra.errors import NotFoundError, PolicyError, ResourceError
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.providers.local.git_worktree import ensure_worktree, remove_worktree
from support.resources import Managed
from support.scratch_git import commit, git, repository


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", {"README": "one\n", "sub/file": "x"})


@pytest.fixture
def worktree(provider: HandlerProvider, repo: Path, tmp_path: Path) -> Managed:
    inputs = {"repository": str(repo), "commit": git(repo, "rev-parse", "HEAD"), "path": str(tmp_path / "code" / "a")}
    return Managed(provider, "dataops:local:Worktree", inputs)


def test_a_worktree_holds_the_commit_and_leaves_the_users_checkout_alone(worktree: Managed, repo: Path) -> None:
    commit(repo, {"README": "two\n"}, "Second")
    worktree.create()
    assert Path(worktree.id, "README").read_text() == "one\n"
    assert git(repo, "symbolic-ref", "--short", "HEAD") == "main"
    assert worktree.refresh()
    assert worktree.changed() == ()


def test_a_repository_may_be_given_as_a_subfolder_or_another_worktree(repo: Path, tmp_path: Path) -> None:
    first = ensure_worktree(repo / "sub", "HEAD", tmp_path / "first")
    second = ensure_worktree(first, "main", tmp_path / "second")
    assert (second / "sub" / "file").read_text() == "x"


def test_a_worktree_is_made_once(worktree: Managed) -> None:
    worktree.create()
    note = Path(worktree.id, "note")
    note.write_text("still here")
    worktree.create()
    assert note.exists()


def test_a_worktree_whose_folder_was_removed_by_hand_is_made_anew(worktree: Managed) -> None:
    worktree.create()
    shutil.rmtree(worktree.id)
    assert not worktree.refresh()
    worktree.create()
    assert Path(worktree.id, "README").exists()


def test_worktrees_that_are_made_and_removed_at_once_do_not_meet(repo: Path, tmp_path: Path) -> None:
    def again_and_again(name: str) -> None:
        for _ in range(8):
            made = ensure_worktree(repo, "HEAD", tmp_path / name / "same")  # git numbers those of one name
            assert (made / "README").exists()
            remove_worktree(repo, made)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(again_and_again, "abcd"))


def test_a_half_made_worktree_is_made_anew(worktree: Managed, repo: Path) -> None:
    worktree.create()
    private = Path(git(Path(worktree.id), "rev-parse", "--absolute-git-dir"))
    (private / "index").unlink()
    Path(worktree.id, "README").unlink()
    worktree.create()
    assert Path(worktree.id, "README").exists()


def test_uncommitted_work_is_never_deleted_unless_forced(worktree: Managed, monkeypatch: pytest.MonkeyPatch) -> None:
    worktree.create()
    Path(worktree.id, "new.py").write_text("work")
    with pytest.raises(PolicyError, match="uncommitted work in 1 files"):
        worktree.delete()
    assert Path(worktree.id, "new.py").exists()
    monkeypatch.setenv("DATAOPS_FORCE", "1")
    worktree.delete()
    assert not Path(worktree.id).exists()


def test_a_deleted_worktree_is_forgotten_by_git_too(worktree: Managed, repo: Path) -> None:
    worktree.create()
    worktree.delete()
    worktree.delete()
    assert len(git(repo, "worktree", "list").splitlines()) == 1


def test_a_worktree_is_deleted_when_its_repository_is_gone(worktree: Managed, repo: Path) -> None:
    worktree.create()
    shutil.rmtree(repo)
    worktree.delete()
    assert not Path(worktree.id).exists()


def test_an_unknown_commit_and_a_folder_without_git_are_told_apart(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="has no commit 1234567"):
        ensure_worktree(repo, "1234567", tmp_path / "w")
    (tmp_path / "plain").mkdir()
    with pytest.raises(NotFoundError, match="not in a git repository"):
        ensure_worktree(tmp_path / "plain", "HEAD", tmp_path / "w")


def test_a_folder_of_somebody_else_is_refused(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "precious").write_text("mine")
    with pytest.raises(ResourceError, match="is no worktree"):
        ensure_worktree(repo, "HEAD", tmp_path / "w")
    assert (tmp_path / "w" / "precious").exists()
