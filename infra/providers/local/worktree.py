"""`dataops:local:Worktree`: the code of one commit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dataops.infra.errors import NotFoundError
from dataops.infra.process.usage import reinstate, retire
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler
from dataops.infra.providers.local.git_worktree import common_directory, ensure_worktree, head_of, remove_worktree

FORCE = "DATAOPS_FORCE"


class WorktreeHandler(ResourceHandler):
    """A detached git worktree. Deleting it is refused while it holds uncommitted work, unless DATAOPS_FORCE=1.

    One that a pipeline run works with stays until the run ends.
    """

    token = "dataops:local:Worktree"
    required = frozenset({"repository", "commit", "path"})
    replace_on = frozenset({"repository", "commit", "path"})
    outputs = frozenset({"path", "commit"})

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        reinstate(Path(inputs["path"]))
        path = ensure_worktree(Path(inputs["repository"]), inputs["commit"], Path(inputs["path"]))
        return CreateResult(str(path), {"path": str(path), "commit": inputs["commit"]})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        path = Path(recorded.id)
        if not (path / ".git").exists():
            return ReadResult("", {})
        try:
            common_directory(path)
        except NotFoundError:
            return ReadResult("", {})
        return ReadResult(recorded.id, {**recorded.outputs, "path": str(path), "commit": head_of(path) or ""})

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        # a developer may commit in the worktree; moving it back would take the commit away from under them
        return [] if recorded.outputs.get("commit") else ["commit"]

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        if retire(Path(recorded.id)):
            return  # a run goes on with this code, and removes it at its end
        repository = Path(str(recorded.inputs.get("repository", "")))
        remove_worktree(repository, Path(recorded.id), force=os.environ.get(FORCE) == "1")
