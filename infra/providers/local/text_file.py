"""`dataops:local:TextFile`: a file with a given content, replaced at once or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataops.infra.platform.records import unwritable
from dataops.infra.process.programs import write_private
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler


class TextFileHandler(ResourceHandler):
    """A file of mode 0600 for programs of ours. Inputs: `path`, `content`."""

    token = "dataops:local:TextFile"
    required = frozenset({"path", "content"})
    replace_on = frozenset({"path"})
    outputs = frozenset({"path", "content"})

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        path = Path(inputs["path"])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, str(inputs["content"]))
        except OSError as error:
            raise unwritable(path, error) from error
        return CreateResult(str(path), {"path": str(path), "content": inputs["content"]})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        try:
            found = Path(recorded.id).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ReadResult("", {})
        return ReadResult(recorded.id, {**recorded.outputs, "content": found})

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        same = "content" not in inputs or recorded.outputs.get("content") == inputs["content"]
        return [] if same else ["content"]

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        Path(recorded.id).unlink(missing_ok=True)
