"""`dataops:local:Endpoints`: the file that says where an environment answers, published last."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dataops.infra.providers.base import (
    CheckFailure,
    CreateResult,
    Operation,
    ReadResult,
    Recorded,
    ResourceHandler,
)


class EndpointsHandler(ResourceHandler):
    """A JSON object of name to URL, replaced at once or not at all."""

    token = "dataops:local:Endpoints"
    required = frozenset({"path", "endpoints"})
    replace_on = frozenset({"path"})
    outputs = frozenset({"path", "endpoints"})

    def check(self, inputs: dict[str, Any]) -> list[CheckFailure]:
        endpoints = inputs.get("endpoints", {})
        if isinstance(endpoints, dict) and all(isinstance(url, str) for url in endpoints.values()):
            return []
        return [CheckFailure("endpoints", "must map names to URLs")]

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        path = Path(inputs["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.new")
        with open(partial, "w", encoding="utf-8") as file:
            file.write(json.dumps(inputs["endpoints"], indent=2, sort_keys=True, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        return CreateResult(str(path), {"path": str(path), "endpoints": inputs["endpoints"]})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        try:
            found = json.loads(Path(recorded.id).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ReadResult("", {})
        except ValueError:
            found = {}
        return ReadResult(recorded.id, {**recorded.outputs, "endpoints": found})

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        same = "endpoints" not in inputs or recorded.outputs.get("endpoints") == inputs["endpoints"]
        return [] if same else ["endpoints"]

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        Path(recorded.id).unlink(missing_ok=True)
