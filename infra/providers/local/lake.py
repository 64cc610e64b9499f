"""`dataops:local:Lake`: a folder of objects, empty or a copy of a golden one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.copying import copy_tree
from dataops.infra.process.removal import remove_tree
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler


class LakeHandler(ResourceHandler):
    """A directory tree. Beside it lie two marks, since everything inside it is an object: begun, and complete."""

    token = "dataops:local:Lake"
    required = frozenset({"path"})
    optional = frozenset({"source"})
    replace_on = frozenset({"path", "source"})
    outputs = frozenset({"url", "path", "cloned"})
    delete_before_replace = True

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        path = Path(inputs["path"])
        source = str(inputs.get("source") or "")
        complete, begun = _mark(path, "complete"), _mark(path, "partial")
        if not complete.exists():
            if path.exists() and any(path.iterdir()) and not begun.exists():
                raise ResourceError(f"{path} is not empty and was not made by dataops", hint="move it away")
            path.parent.mkdir(parents=True, exist_ok=True)
            begun.touch()
            remove_tree(path)
            technique = copy_tree(Path(source), path).technique if source else "empty"
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
            begun.write_text(technique, encoding="utf-8")
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
    technique = _mark(path, "complete").read_text(encoding="utf-8")
    return {"url": path.absolute().as_uri(), "path": str(path), "cloned": technique}
