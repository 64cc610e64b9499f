"""What environments ask of git: where the repository is, which commit a branch is at, whether work is committed.

Nothing here changes the repository; the worktree of an environment is a resource of the local target.
"""

from __future__ import annotations

import difflib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dataops.infra.errors import ConfigurationError, NotFoundError, PolicyError


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository as seen from one of its work trees.

    Args:
        common: the directory that all work trees share, usually `<main>/.git`.
        top: the top of the work tree that the user stands in.
        main: the top of the main work tree; the same as `top` unless the user stands in a linked one.
    """

    common: Path
    top: Path
    main: Path

    @classmethod
    def find(cls, start: Path) -> Repository:
        """The repository that a folder belongs to.

        Raises:
            NotFoundError: the folder is in none.
            ConfigurationError: git is missing, or refuses the repository.
        """
        result = _git(start, "rev-parse", "--path-format=absolute", "--git-common-dir", "--show-toplevel")
        if result.returncode != 0:
            said = result.stderr.strip().splitlines()
            if _git(start, "rev-parse", "--is-bare-repository").stdout.strip() == "true":
                raise NotFoundError(
                    "this repository is bare: it has no work tree to make environments from",
                    where=str(start),
                    hint="run the command in a clone, or in a worktree of it: `git worktree add FOLDER BRANCH`",
                )
            # What is wrong with a repository that is there git explains itself.
            if any((parent / ".git").exists() for parent in (start, *start.parents)):
                raise ConfigurationError(
                    "git refuses the repository", where=str(start), details=said[0] if said else None
                )
            raise NotFoundError(
                "this folder is not in a git repository",
                where=str(start),
                hint="environments are made from branches: run the command in the repository that holds dataops.yaml, "
                "or make one with `git init` and `dataops init`",
            )
        common, top = (Path(line) for line in result.stdout.splitlines())
        return cls(common, top, common.parent if common.name == ".git" else top)

    def commit_of(self, branch: str) -> str:
        """The commit that a branch is at: a local one, else `origin`'s.

        Raises:
            NotFoundError: there is no such branch, or it has no commit yet.
        """
        for reference in (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}"):
            result = _git(self.top, "show-ref", "--verify", "--hash", reference)
            if result.returncode == 0:
                return result.stdout.strip()
        known = self.branches()
        near = difflib.get_close_matches(branch, known, n=3, cutoff=0.4)
        raise NotFoundError(
            f"there is no branch named {branch}",
            where=str(self.top),
            hint=f"did you mean {' or '.join(near)}?" if near else f"the branches are {', '.join(known[:8]) or 'none'}",
        )

    def standing(self, branch: str, commit: str) -> str:
        """What became of a commit that a branch was at, in words; "" while the branch still holds it."""
        if not self.common.is_dir():
            return ""
        for reference in (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}"):
            if _git(self.common, "show-ref", "--verify", "--quiet", reference).returncode == 0:
                if _git(self.common, "merge-base", "--is-ancestor", commit, reference).returncode == 0:
                    return ""
                return f"commit {commit[:12]} is no longer on {branch}, which was rewritten"
        return f"branch {branch} is gone"

    def file_at(self, commit: str, path: str) -> str | None:
        """A file's text in a commit, None when the commit has no such file."""
        result = _git(self.top, "show", f"{commit}:{path}")
        return result.stdout if result.returncode == 0 else None

    def branches(self) -> list[str]:
        """Local branches and those of `origin`, by name, the most recent first."""
        result = _git(
            self.top,
            "for-each-ref",
            "--sort=-committerdate",
            "--format=%(refname)",
            "refs/heads",
            "refs/remotes/origin",
        )
        names = (
            line.removeprefix("refs/heads/").removeprefix("refs/remotes/origin/") for line in result.stdout.splitlines()
        )
        return [name for name in dict.fromkeys(names) if name != "HEAD"]

    def current_branch(self) -> str | None:
        """The branch that is checked out where the user stands; None for a detached head."""
        result = _git(self.top, "symbolic-ref", "--quiet", "--short", "HEAD")
        return result.stdout.strip() or None

    def uncommitted(self) -> list[str]:
        """Paths with changes that are in no commit; ignored files do not count."""
        result = _git(self.top, "status", "--porcelain", "--untracked-files=normal")
        return [line[3:] for line in result.stdout.splitlines()]

    def require_release_state(self, branch: str, environment: str) -> None:
        """Refuses to deploy anything but the configured branch, completely committed.

        Raises:
            PolicyError: another branch is checked out, or the work tree holds uncommitted work.
        """
        current = self.current_branch()
        if current != branch:
            raise PolicyError(
                f"{environment} is deployed from branch {branch} only; checked out is {current or 'a detached head'}",
                where=str(self.top),
                hint=f"git switch {branch}",
            )
        if changed := self.uncommitted():
            shown = changed[:10] + (["…"] if len(changed) > 10 else [])
            raise PolicyError(
                f"{environment} is deployed from a clean work tree only; "
                f"uncommitted work in {len(changed)} {'path' if len(changed) == 1 else 'paths'}",
                where=str(self.top),
                hint="commit or stash them: `git status` lists all",
                details="\n".join(shown),
            )


def registered_worktrees(common: Path) -> list[Path]:
    """The worktrees that the repository knows of."""
    if not common.is_dir():
        return []
    result = _git(common, "worktree", "list", "--porcelain")
    return [Path(line[9:]) for line in result.stdout.splitlines() if line.startswith("worktree ")]


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Variables such as GIT_DIR, which git sets for its hooks, would point every call at that repository.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    # Looking must not take the index's lock from a developer who commits at that moment.
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise ConfigurationError("git is not installed", hint="install git and run the command again") from None
