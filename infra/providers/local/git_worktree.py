"""Git worktrees: one commit of a repository checked out in a folder of its own."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataops.infra.errors import NotFoundError, PolicyError, ResourceError
from dataops.infra.process.commands import CommandError, run_command
from dataops.infra.process.removal import remove_tree

TIMEOUT = 600.0


def _git(directory: Path, *arguments: str, purpose: str) -> str:
    # a user's GIT_DIR or hooks' variables would send git elsewhere; child_environment leaves them out
    return run_command(
        ["git", "-C", str(directory), *arguments],
        purpose=purpose,
        environment={"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"},
        timeout=TIMEOUT,
    ).stdout


def ensure_worktree(repository: Path, commit: str, path: Path) -> Path:
    """Makes `path` a worktree of `repository` with `commit` checked out, detached. Done already, it does nothing.

    A worktree left half-made by a crash is made anew; one that holds another commit is switched, if it holds no
    uncommitted work. Registrations of worktrees whose folder is gone are pruned first.

    Args:
        repository: any folder inside the repository: its top, a subfolder, another worktree, or its `.git`.
        commit: a full commit id, or anything that names a commit.
        path: where the worktree goes; absolute.

    Returns:
        `path`.

    Raises:
        NotFoundError: `repository` is none, or has no such commit.
        PolicyError: `path` holds uncommitted work on another commit.
        ResourceError: `path` is something else, or git fails.
    """
    common = common_directory(repository)
    wanted = _resolve(common, commit)
    if path.exists():
        if _belongs(path, common):
            return _switch(path, common, wanted)
        if not path.is_dir() or (any(path.iterdir()) and not (path / ".git").exists()):
            raise ResourceError(f"{path} exists and is no worktree of {common}", hint="move it away")
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _registering(common):
        _prune(common)
        _git(
            common,
            *("-c", "core.hooksPath=/dev/null", "worktree", "add", "--force", "--detach", str(path), wanted),
            purpose=f"check out {wanted[:12]}",
        )
    _stamp(path).touch()
    return path


def remove_worktree(repository: Path, path: Path, *, force: bool = False) -> None:
    """Removes a worktree and its registration. Neither being there any more is no error, nor the repository being gone.

    Args:
        force: remove uncommitted work as well.

    Raises:
        PolicyError: the worktree holds uncommitted work.
    """
    if path.exists() or path.is_symlink():
        if not force and not path.is_symlink() and (work := unsaved_work(path)):
            raise PolicyError(
                f"{path} holds uncommitted work in {len(work)} files",
                hint="commit it, or set DATAOPS_FORCE=1 to lose it",
                details="\n".join(work[:10]),
            )
        remove_tree(path)
    _stamp(path).unlink(missing_ok=True)
    try:
        common = common_directory(repository)
    except NotFoundError:
        return
    forget_missing_worktrees(common)


def forget_missing_worktrees(common: Path) -> None:
    """Lets git drop its notes on worktrees whose folders are gone; a repository that is gone itself is no error."""
    if common.is_dir():
        with _registering(common):
            _prune(common)


@contextmanager
def _registering(common: Path) -> Iterator[None]:
    """One at a time, across processes: `git worktree prune` takes away what `git worktree add` is about to fill."""
    descriptor = os.open(common, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prune(common: Path) -> None:
    _git(common, "worktree", "prune", purpose="forget worktrees that are gone")


def uncommitted_work(path: Path) -> list[str]:
    """What git calls changed or untracked in a worktree; nothing for a folder that git does not know any more."""
    try:
        shown = _git(path, "status", "--porcelain", "--untracked-files=all", purpose="look for uncommitted work")
    except CommandError:
        return []
    return [line[3:] for line in shown.splitlines()]


def unsaved_work(path: Path) -> list[str]:
    """What would be lost with a worktree: changed or new files, and commits that are on no branch.

    When the repository is gone git cannot tell; then what was written after the checkout counts.
    """
    if not (path / ".git").exists():
        return []
    if head_of(path) is None:
        return _written_since_checkout(path)
    return uncommitted_work(path) + [f"commit {commit}" for commit in _lost_commits(path)]


def _lost_commits(path: Path) -> list[str]:
    """Commits made in a worktree that no branch, tag or remote has; the one that it was made for, its name, aside."""
    made_for = path.name if re.fullmatch(r"[0-9a-f]{12}", path.name) else "HEAD"
    try:
        shown = _git(
            path,
            *("rev-list", "--max-count=10", "--abbrev-commit", "HEAD", f"^{made_for}"),
            *("--not", "--branches", "--tags", "--remotes"),
            purpose="look for commits on no branch",
        )
    except CommandError:
        return []
    return shown.split()


def _written_since_checkout(path: Path) -> list[str]:
    stamp = _stamp(path)
    try:
        checked_out = stamp.stat().st_mtime_ns
    except OSError:
        return []
    found = []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in files:
            file = Path(folder, name)
            if file.lstat().st_mtime_ns > checked_out:
                found.append(str(file.relative_to(path)))
    return sorted(found)


def _stamp(path: Path) -> Path:
    """A file beside a worktree, written when it was complete."""
    return path.with_name(f".{path.name}.checked-out")


def head_of(path: Path) -> str | None:
    """The commit that is checked out in a worktree; None when there is none."""
    try:
        return _git(path, "rev-parse", "--verify", "HEAD", purpose="read the commit").strip()
    except CommandError:
        return None


def common_directory(repository: Path) -> Path:
    """The directory that a repository's worktrees share.

    Raises:
        NotFoundError: the folder is in no git repository.
    """
    try:
        shown = _git(
            repository, "rev-parse", "--path-format=absolute", "--git-common-dir", purpose="find the repository"
        )
    except CommandError as error:
        raise NotFoundError(f"{repository} is not in a git repository", details=error.details) from error
    return Path(shown.strip())


def repositories_of(folder: Path) -> set[Path]:
    """The repositories, as far as they exist, whose worktrees lie in a folder."""
    found = set()
    for worktree in sorted(folder.glob("*")):
        if (worktree / ".git").exists():
            try:
                found.add(common_directory(worktree))
            except NotFoundError:
                continue
    return found


def _resolve(common: Path, commit: str) -> str:
    try:
        return _git(
            common, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}", purpose="find it"
        ).strip()
    except CommandError as error:
        raise NotFoundError(f"the repository {common} has no commit {commit}", hint="git fetch, perhaps?") from error


def _belongs(path: Path, common: Path) -> bool:
    """Whether `path` is the top of a complete worktree of the repository."""
    if not (path / ".git").is_file():
        return False
    try:
        shown = _git(
            path, "rev-parse", "--path-format=absolute", "--git-common-dir", "--show-toplevel", purpose="look at it"
        ).splitlines()
    except CommandError:
        return False
    if len(shown) != 2 or not os.path.samefile(shown[0], common) or not os.path.samefile(shown[1], path):
        return False
    # git writes the index last: without it, a crash came in between
    private = Path(_git(path, "rev-parse", "--absolute-git-dir", purpose="look at it").strip())
    return (private / "index").exists() and not (private / "index.lock").exists()


def _switch(path: Path, common: Path, wanted: str) -> Path:
    if head_of(path) != wanted:
        if work := uncommitted_work(path):
            raise PolicyError(
                f"{path} holds uncommitted work in {len(work)} files and cannot be switched to {wanted[:12]}",
                hint="commit it first",
                details="\n".join(work[:10]),
            )
        _git(path, "-c", "core.hooksPath=/dev/null", "checkout", "--detach", wanted, purpose=f"check out {wanted[:12]}")
        _stamp(path).touch()
    return path
