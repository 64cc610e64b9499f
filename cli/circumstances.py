"""What the history records of how an update was started: by what, and from which commit."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path


def update_metadata(folder: Path) -> dict[str, str]:
    """The circumstances of an update of the program in a folder, in the words of Pulumi's history.

    Outside git, or without it, the commit is left out. Names and addresses of people are not recorded.
    """
    return {
        "exec.kind": "cli",
        "exec.agent": "dataops",
        "pulumi.os": os.uname().sysname.lower(),
        "runtime.name": "python",
        "runtime.version": platform.python_version(),
        **_git(folder),
    }


def _git(folder: Path) -> dict[str, str]:
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return {}
    try:
        done = subprocess.run(
            ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = done.stdout.splitlines()
    told = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    head, branch = told.get("branch.oid", ""), told.get("branch.head", "")
    if done.returncode or not head or head.startswith("("):
        return {}
    dirty = any(not line.startswith("#") for line in lines)
    named = {} if branch.startswith("(") else {"git.headName": f"refs/heads/{branch}"}
    return {"git.head": head, **named, "git.dirty": str(dirty).lower()}
