"""`dataops:local:Lake`: a folder of objects, empty or a copy of a golden one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.copying import copy_tree
from dataops.infra.process.removal import remove_tree
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler


class LakeHandler(ResourceHandler):
    """A directory tree. Beside it lie two marks, since everything inside it is an object: begun, and complete.

    Its objects are laid anew when `generation` becomes another text.
    """

    token = "dataops:local:Lake"
    required = frozenset({"path"})
    optional = frozenset({"source", "generation"})
    replace_on = frozenset({"path"})
    outputs = frozenset({"url", "path", "cloned"})
    delete_before_replace = True

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        path = Path(inputs["path"])
        source = str(inputs.get("source") or "")
        generation = str(inputs.get("generation") or "")
        complete, begun = _mark(path, "complete"), _mark(path, "partial")
        if generation and complete.exists() and _outdated(path, generation):
            begun.touch()
            complete.unlink()
        if not complete.exists():
            if path.exists() and any(path.iterdir()) and not begun.exists():
                raise ResourceError(f"{path} is not empty and was not made by dataops", hint="move it away")
            path.parent.mkdir(parents=True, exist_ok=True)
            begun.touch()
            remove_tree(path)
            technique = copy_tree(Path(source), path).technique if source else "empty"
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
            begun.write_text(json.dumps({"technique": technique, "generation": generation}), encoding="utf-8")
            begun.replace(complete)
        return CreateResult(str(path), _outputs(path))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        path = Path(recorded.id)
        if not path.is_dir() or not _mark(path, "complete").exists():
            return ReadResult("", {})
        return ReadResult(recorded.id, recorded.outputs)

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        path = Path(recorded.id)
        _mark(path, "partial").touch() if path.parent.exists() else None
        _mark(path, "complete").unlink(missing_ok=True)
        remove_tree(path)
        _mark(path, "partial").unlink(missing_ok=True)


def _mark(path: Path, which: str) -> Path:
    return path.with_name(f".{path.name}.{which}")


def _outputs(path: Path) -> dict[str, Any]:
    return {"url": path.absolute().as_uri(), "path": str(path), "cloned": _made(path)["technique"]}


def _outdated(path: Path, generation: str) -> bool:
    made = _made(path).get("generation")
    # objects that were laid when they had no names yet are the first
    return not generation.endswith("/0") if made is None else made != generation


def _made(path: Path) -> dict[str, str]:
    text = _mark(path, "complete").read_text(encoding="utf-8")
    try:
        found: dict[str, str] = json.loads(text)
    except ValueError:  # laid when objects had no names yet: the technique alone
        return {"technique": text}
    return found
