"""How the code of two environments differs: commits that only one has, files that are not alike, edits in place."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dataops.envs.registry import EnvironmentRecord

STATES = {"A": "only in b", "D": "only in a", "M": "different", "T": "different"}


@dataclass(frozen=True, slots=True)
class CodeDifference:
    """How the code differs.

    Args:
        a, b: the commits.
        only_a, only_b: commits that the other does not have, newest first, as `<12 hex> <subject>`.
        files: path to `only in a`, `only in b` or `different`.
        edited_a, edited_b: files that were edited in place and are in no commit.
        unknown: why the commits could not be compared, "" when they could.
    """

    a: str
    b: str
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    edited_a: tuple[str, ...] = ()
    edited_b: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def same(self) -> bool:
        """Whether both run the same code."""
        return self.a == self.b and not (self.edited_a or self.edited_b)

    def to_json(self) -> dict[str, Any]:
        """The difference as `-o json` prints it."""
        return {
            "a": self.a,
            "b": self.b,
            "commits": {"only_in_a": list(self.only_a), "only_in_b": list(self.only_b)},
            "files": [{"path": path, "how": how} for path, how in self.files],
            "edited": {"a": list(self.edited_a), "b": list(self.edited_b)},
            "unknown": self.unknown,
        }


def compare_code(a: EnvironmentRecord, b: EnvironmentRecord) -> CodeDifference:
    """Compares the commits that two environments run, and what was edited in their worktrees."""
    edited = _edited(a), _edited(b)
    plain = CodeDifference(a.commit, b.commit, edited_a=edited[0], edited_b=edited[1])
    if a.commit == b.commit:
        return plain
    files = _git(b, "diff", "--name-status", "--no-renames", "-z", a.commit, b.commit)
    if files is None:
        return replace(plain, unknown="the repository lacks one of the commits")
    words = files.split("\0")
    named = tuple((path, STATES.get(state, "different")) for state, path in zip(words[::2], words[1::2], strict=False))
    return replace(plain, only_a=_commits(a, b), only_b=_commits(b, a), files=named)


def _commits(of: EnvironmentRecord, other: EnvironmentRecord) -> tuple[str, ...]:
    text = _git(of, "log", "--format=%h %s", "--abbrev=12", "--max-count=50", of.commit, f"^{other.commit}")
    return tuple((text or "").splitlines())


def _edited(record: EnvironmentRecord) -> tuple[str, ...]:
    from dataops.infra.providers.local.git_worktree import uncommitted_work

    worktree = Path(str(record.facts.get("worktree", "")))
    return tuple(uncommitted_work(worktree)) if record.facts.get("worktree") and worktree.is_dir() else ()


def _git(record: EnvironmentRecord, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", f"--git-dir={record.repository}", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
