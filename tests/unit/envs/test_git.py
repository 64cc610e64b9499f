from __future__ import annotations

from pathlib import Path

import pytest

from dataops.envs.git import Repository
from dataops.infra.errors import NotFoundError, PolicyError
from support.scratch_git import commit, git, repository


def test_a_folder_below_belongs_to_the_repository(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo", {"a/b/c.txt": "x"})
    found = Repository.find(top / "a" / "b")
    assert (found.common, found.top, found.main) == (top / ".git", top, top)


def test_a_linked_worktree_has_the_same_common_directory(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    git(top, "worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "feature/x")
    found = Repository.find(tmp_path / "linked")
    assert (found.common, found.top, found.main) == (top / ".git", tmp_path / "linked", top)


def test_a_folder_in_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        Repository.find(tmp_path)
    assert caught.value.hint and "dataops init" in caught.value.hint


def test_a_branch_is_resolved_to_its_commit(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    git(top, "switch", "--quiet", "-c", "feature/x")
    wanted = commit(top, {"x": "1"}, "More")
    git(top, "switch", "--quiet", "main")
    assert Repository.find(top).commit_of("feature/x") == wanted


def test_a_branch_that_only_origin_has_is_found(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    git(top, "branch", "feature/x")
    git(tmp_path, "clone", "--quiet", str(top), "clone")
    clone = Repository.find(tmp_path / "clone")
    assert clone.commit_of("feature/x") == git(top, "rev-parse", "feature/x")
    assert sorted(clone.branches()) == ["feature/x", "main"]


def test_an_unknown_branch_is_told_with_the_nearest(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    git(top, "branch", "feature/delays")
    with pytest.raises(NotFoundError) as caught:
        Repository.find(top).commit_of("feature/delay")
    assert "feature/delays" in str(caught.value.hint)


def test_tags_and_options_are_no_branches(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    git(top, "tag", "v1")
    for name in ("v1", "--all", "HEAD", "main~0"):
        with pytest.raises(NotFoundError):
            Repository.find(top).commit_of(name)


def test_only_the_configured_branch_in_a_clean_tree_is_deployed(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo", {"a": "1", ".gitignore": "ignored\n"})
    found = Repository.find(top)
    (top / "ignored").write_text("x")
    found.require_release_state("main", "production")
    (top / "new").write_text("x")
    with pytest.raises(PolicyError) as caught:
        found.require_release_state("main", "production")
    assert caught.value.details == "new"
    (top / "new").unlink()
    git(top, "switch", "--quiet", "-c", "other")
    with pytest.raises(PolicyError) as caught:
        found.require_release_state("main", "production")
    assert caught.value.hint == "git switch main"


def test_a_file_is_read_from_a_commit(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo", {"a/x.txt": "old"})
    first = git(top, "rev-parse", "HEAD")
    commit(top, {"a/x.txt": "new"}, "Change")
    found = Repository.find(top)
    assert found.file_at(first, "a/x.txt") == "old"
    assert found.file_at(first, "a/y.txt") is None


def test_looking_for_uncommitted_work_leaves_the_index_to_the_developer(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r")
    (folder / "README").touch()
    lock = folder / ".git" / "index.lock"
    lock.touch()
    assert Repository.find(folder).uncommitted() == []
    index = (folder / ".git" / "index").read_bytes()
    lock.unlink()
    (folder / "README").touch()
    assert Repository.find(folder).uncommitted() == []
    assert (folder / ".git" / "index").read_bytes() == index


def test_a_bare_repository_is_told_as_one(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo")
    git(folder, "clone", "--quiet", "--bare", str(folder), str(tmp_path / "bare.git"))
    with pytest.raises(NotFoundError, match="this repository is bare"):
        Repository.find(tmp_path / "bare.git")


def test_a_commit_that_its_branch_no_longer_holds_is_told(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo")
    found = Repository.find(folder)
    git(folder, "switch", "--quiet", "-c", "feature/x")
    first = commit(folder, {"a": "1"}, "One")
    assert found.standing("feature/x", first) == ""
    commit(folder, {"a": "2"}, "Two")
    assert found.standing("feature/x", first) == ""
    git(folder, "reset", "--quiet", "--hard", "main")
    assert found.standing("feature/x", first) == f"commit {first[:12]} is no longer on feature/x, which was rewritten"
    git(folder, "switch", "--quiet", "main")
    git(folder, "branch", "--quiet", "-D", "feature/x")
    assert found.standing("feature/x", first) == "branch feature/x is gone"
