"""The files of a commit in a folder of their own for a moment, without a trace in the repository."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataops.infra.process.commands import run_command


@contextmanager
def extracted(common: Path, commit: str) -> Iterator[Path]:
    """The commit's files, as a worktree would have them; they are gone when the block ends.

    The index that git needs for it lies beside them, so that neither the repository nor its list of worktrees changes.

    Args:
        common: git's common directory.
        commit: a full commit id.
    """
    with tempfile.TemporaryDirectory(prefix="dataops-plan-") as place:
        folder = Path(place) / "code"
        folder.mkdir()
        environment = {
            "GIT_INDEX_FILE": str(Path(place) / "index"),
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C.UTF-8",
        }
        git = ["git", f"--git-dir={common}", f"--work-tree={folder}"]
        for words in (["read-tree", commit], ["checkout-index", "--all", f"--prefix={folder}/"]):
            run_command([*git, *words], purpose=f"read commit {commit[:12]}", directory=folder, environment=environment)
        yield folder
