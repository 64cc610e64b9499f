"""`dataops:local:EnvironmentFile`: the variables of an environment, readable by its owner only."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from dataops.infra.platform.addresses import refuse_values
from dataops.infra.process.dotenv import NAME, format_variables
from dataops.infra.process.programs import write_private
from dataops.infra.providers.base import (
    CheckFailure,
    CreateResult,
    Operation,
    ReadResult,
    Recorded,
    ResourceHandler,
)


class EnvironmentFileHandler(ResourceHandler):
    """A dotenv file of mode 0600. Its `digest` changes with its content; secret, since short values could be guessed.

    Whoever depends on the content rather than on the path takes the digest as an input.
    """

    token = "dataops:local:EnvironmentFile"
    required = frozenset({"path", "variables"})
    replace_on = frozenset({"path"})
    outputs = frozenset({"path", "digest"})
    secret_outputs = frozenset({"digest"})

    def check(self, inputs: dict[str, Any]) -> list[CheckFailure]:
        variables = inputs.get("variables", {})
        if not isinstance(variables, dict):
            return [CheckFailure("variables", "must map names to values")]
        return [
            *(CheckFailure("variables", f"{n!r} cannot name a variable") for n in variables if not NAME.fullmatch(n)),
            *(CheckFailure("variables", f"the value of {n} is no text") for n, v in variables.items() if _refused(v)),
        ]

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        path = Path(inputs["path"])
        refuse_values({n: _text(v) for n, v in inputs["variables"].items()}, path.parent, "the environment")
        text = _format(inputs["variables"])
        path.parent.mkdir(parents=True, exist_ok=True)
        if _content(path) != text or path.stat().st_mode & 0o777 != 0o600:
            write_private(path, text)
        return CreateResult(str(path), {"path": str(path), "digest": _digest(text)})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        text = _content(Path(recorded.id))
        if text is None:
            return ReadResult("", {})
        return ReadResult(recorded.id, {**recorded.outputs, "digest": _digest(text)})

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        if "variables" not in inputs or recorded.outputs.get("digest") == _digest(_format(inputs["variables"])):
            return []
        return ["digest"]

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        Path(recorded.id).unlink(missing_ok=True)


def _refused(value: object) -> bool:
    return isinstance(value, (dict, list)) or (isinstance(value, str) and "\0" in value)


def _format(variables: dict[str, Any]) -> str:
    return format_variables({name: _text(value) for name, value in variables.items() if value is not None})


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _content(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
