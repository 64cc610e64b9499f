"""`env history`: what was done to an environment, from its stack's history, and the commits that it was done with."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataops.envs.registry import EnvironmentRecord
from dataops.envs.stack import Tools, state_is_there
from dataops.infra.errors import NotFoundError

COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One update of an environment.

    Args:
        version: counted from 1.
        kind: `update`, `refresh`, `destroy` or `import`.
        command: what was typed, such as `env up --branch x`.
        commit, branch: what it was made from, "" where that was not recorded.
        author, subject: of that commit, "" where the repository does not have it (any more).
        snapshot: where a replica's data came from, "" elsewhere.
        result: `succeeded` or `failed`.
        started, seconds: when it began, and how long it took, to the second.
        changes: steps by kind.
    """

    version: int
    kind: str
    command: str
    commit: str
    branch: str
    author: str
    subject: str
    snapshot: str
    result: str
    started: str
    seconds: int
    changes: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The entry as `-o json` prints it."""
        return {
            "version": self.version,
            "kind": self.kind,
            "command": self.command,
            "commit": self.commit,
            "branch": self.branch,
            "author": self.author,
            "subject": self.subject,
            "snapshot": self.snapshot,
            "result": self.result,
            "started": self.started,
            "seconds": self.seconds,
            "changes": dict(self.changes),
        }


def history(record: EnvironmentRecord, tools: Tools, limit: int | None = None) -> list[HistoryEntry]:
    """The updates of an environment, the newest first. Needs neither passphrase nor branch.

    Args:
        record: the environment.
        tools: see `Tools`.
        limit: at most so many.

    Raises:
        NotFoundError: its state is gone.
        VerificationError: a record of the history is damaged.
    """
    from dataops.infra.state.backend import StackReference

    if not state_is_there(record.backend):
        raise NotFoundError(
            f"the state of {record.name} is gone, and its history with it",
            where=record.backend,
            hint=f"`dataops env down {record.name} --force` removes what is left of it",
        )
    updates = tools.backend(record.backend).history(StackReference(record.project, record.stack))[:limit]
    heads = [update.environment.get("git.head", "") for update in updates]
    commits = _commits(Path(record.repository), heads)
    return [
        HistoryEntry(
            version=update.version,
            kind=update.kind,
            command=update.message,
            commit=head,
            branch=update.environment.get("git.headName", "").removeprefix("refs/heads/"),
            author=commits.get(head, ("", ""))[0],
            subject=commits.get(head, ("", ""))[1],
            snapshot=str(update.config.get("dataops:snapshot") or ""),
            result=update.result,
            started=datetime.fromtimestamp(update.start_time, UTC).isoformat(timespec="seconds"),
            seconds=max(0, update.end_time - update.start_time),
            changes=update.resource_changes,
        )
        for update, head in zip(updates, heads, strict=True)
    ]


def _commits(repository: Path, heads: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Author and subject of the commits that the repository has, in one call; those it lacks are left out."""
    wanted = sorted({head for head in heads if COMMIT.fullmatch(head)})
    if not wanted or not repository.is_dir():
        return {}
    try:
        done = subprocess.run(
            ["git", f"--git-dir={repository}", "log", "--no-walk=unsorted", "--ignore-missing", "--stdin"]
            + ["--format=%H%x00%an%x00%s"],
            input="\n".join(wanted) + "\n",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError:
        return {}
    found = (line.split("\0", 2) for line in done.stdout.splitlines() if line.count("\0") >= 2)
    return {commit: (author, subject) for commit, author, subject in found}
