from __future__ import annotations

from pathlib import Path

import pytest

from dataops.envs.checkout import Checkout, find_layout
from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.platform.layout import PlatformLayout
from support.platform_file import PLATFORM_TEXT, write_platform
from support.scratch_git import commit, git, repository


def platform(folder: Path, below: str = "") -> Path:
    name = f"{below}/dataops.yaml" if below else "dataops.yaml"
    return repository(folder, {name: PLATFORM_TEXT, "docs/x.md": "x"})


def test_the_platform_of_a_folder_below_is_found(tmp_path: Path) -> None:
    top = platform(tmp_path / "repo")
    found = Checkout.find(top / "docs", tmp_path / "home")
    assert (found.subdirectory, found.platform.name) == ("", "shop")
    assert found.backend_url == f"file://{top}/.dataops/state"
    assert found.passphrase_source == {"file": str(top / ".dataops" / "passphrase")}


def test_a_platform_may_lie_below_the_top(tmp_path: Path) -> None:
    top = platform(tmp_path / "repo", "data/shop")
    found = Checkout.find(top / "data" / "shop", tmp_path / "home")
    assert found.subdirectory == "data/shop"
    assert found.backend_url == f"file://{top}/data/shop/.dataops/state"
    with pytest.raises(ConfigurationError):
        Checkout.find(top, tmp_path / "home")


def test_state_is_in_the_main_work_tree_also_when_seen_from_a_linked_one(tmp_path: Path) -> None:
    top = platform(tmp_path / "repo")
    git(top, "worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "feature/x")
    main, linked = (Checkout.find(p, tmp_path / "home") for p in (top, tmp_path / "linked"))
    assert linked.backend_url == main.backend_url
    assert linked.passphrase_source == main.passphrase_source
    assert linked.layout == main.layout


def test_what_is_wrong_in_a_commit_is_told_of_the_commit(tmp_path: Path) -> None:
    top = platform(tmp_path / "repo")
    git(top, "switch", "--quiet", "-c", "feature/x")
    text = (top / "dataops.yaml").read_text()
    wrong = commit(top, {"dataops.yaml": f"{text}colour: blue\n"}, "Wrong")
    git(top, "switch", "--quiet", "-")
    with pytest.raises(ConfigurationError, match="colour") as caught:
        Checkout.find(top, tmp_path / "home").branch_platform(wrong)
    assert f"it is so in commit {wrong[:12]}" in str(caught.value.hint)


def test_a_folder_without_a_platform_is_told(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    with pytest.raises(ConfigurationError) as caught:
        Checkout.find(top, tmp_path / "home")
    assert caught.value.hint == "write one with `dataops init`"
    with pytest.raises(NotFoundError):
        Checkout.find(tmp_path, tmp_path / "home")


def test_the_branch_is_read_with_its_own_configuration(tmp_path: Path) -> None:
    top = platform(tmp_path / "repo")
    git(top, "switch", "--quiet", "-c", "feature/x")
    good = commit(
        top, {"dataops.yaml": PLATFORM_TEXT.replace("schemas: [raw, marts]", "schemas: [raw, marts, x]")}, "x"
    )
    bad = commit(top, {"dataops.yaml": PLATFORM_TEXT.replace("masking:", "maskings:")}, "y")
    (top / "dataops.yaml").unlink()
    none = commit(top, {"z": ""}, "z")
    git(top, "switch", "--quiet", "main")
    found = Checkout.find(top, tmp_path / "home")
    assert found.branch_platform(good).stores.warehouse.schemas == ("raw", "marts", "x")
    with pytest.raises(ConfigurationError) as caught:
        found.branch_platform(bad)
    assert "masking" in f"{caught.value} {caught.value.details} {caught.value.hint}"
    with pytest.raises(ConfigurationError):
        found.branch_platform(none)


def test_environments_are_found_without_a_valid_configuration(tmp_path: Path) -> None:
    home = tmp_path / "home"
    top = platform(tmp_path / "repo")
    layout = PlatformLayout.of("shop", top / ".git", home)
    assert find_layout(top, home) is None
    layout.registry.mkdir(parents=True)
    (top / "dataops.yaml").write_text("{")
    assert find_layout(top, home) == layout
    assert find_layout(tmp_path, home) is None


def test_of_two_platforms_in_a_repository_the_one_at_hand_is_meant(tmp_path: Path) -> None:
    home = tmp_path / "home"
    top = platform(tmp_path / "repo", "one")
    write_platform(top / "one", "name: shop", "name: first")
    for name in ("first", "second"):
        PlatformLayout.of(name, top / ".git", home).registry.mkdir(parents=True)
    assert find_layout(top / "one", home) == PlatformLayout.of("first", top / ".git", home)
    assert find_layout(top, home) is None


def test_a_commit_without_a_program_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    top = platform(tmp_path / "repo")
    found = Checkout.find(top, tmp_path / "home")
    without = git(top, "rev-parse", "HEAD").strip()
    with pytest.raises(ConfigurationError, match="has no Pulumi.yaml") as caught:
        found.require_program(without, "local")
    assert "dataops init" in str(caught.value.hint)
    found.require_program(commit(top, {"Pulumi.yaml": "name: shop\nruntime: python\n"}, "A program"), "local")
