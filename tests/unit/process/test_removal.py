"""Folders are removed with everything in them, and nothing that they lead to is."""

from __future__ import annotations

from pathlib import Path

from dataops.infra.process.removal import MANY, remove_tree


def test_a_folder_with_thousands_of_runs_goes_with_everything_in_it(tmp_path: Path) -> None:
    root = tmp_path / "environment"
    for number in range(300):
        run = root / "logs" / "runs" / "sales" / f"run-{number}"
        run.mkdir(parents=True)
        for name in ("run.json", "load.log", "load.2.log"):
            (run / name).write_text("text")
    (root / "postgres").mkdir()
    for number in range(2 * MANY):
        (root / "postgres" / str(number)).write_text("page")

    remove_tree(root)

    assert list(tmp_path.iterdir()) == []


def test_links_in_a_folder_go_without_what_they_lead_to(tmp_path: Path) -> None:
    kept, root = tmp_path / "kept", tmp_path / "environment"
    kept.mkdir()
    (kept / "file").write_text("mine")
    for number in range(3):
        (root / f"folder {number}").mkdir(parents=True)
        (root / f"folder {number}" / "link").symlink_to(kept)
        (root / f"link {number}").symlink_to(kept)
    for number in range(MANY):
        (root / "folder 0" / f"link {number}").symlink_to(kept / "file")
    (root / "loop").symlink_to(root)

    remove_tree(root)
    remove_tree(root)

    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (kept / "file").read_text() == "mine"


def test_folders_that_were_made_read_only_go_too(tmp_path: Path) -> None:
    root = tmp_path / "environment"
    for name in ("first", "second"):
        (root / name / "deep").mkdir(parents=True)
        (root / name / "deep" / "file").write_text("text")
        (root / name / "deep").chmod(0o500)
        (root / name).chmod(0o500)
    root.chmod(0o500)

    remove_tree(root)

    assert not root.exists()
