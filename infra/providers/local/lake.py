"""`dataops:local:Lake`: a folder of objects, empty or a copy of a golden one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.process.copying import copy_tree
from dataops.infra.process.engine_volumes import elsewhere
from dataops.infra.process.lake_volume import CarriedLake, mark_of
from dataops.infra.process.removal import remove_tree
from dataops.infra.process.s3_gateway import LAKE
from dataops.infra.process.supervisor import Supervisor
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler


class LakeHandler(ResourceHandler):
    """A directory tree. Beside it lie two marks, since everything inside it is an object: begun, and complete.

    Its objects are laid anew when `generation` becomes another text. With `container`, a `ContainerPlace` whose engine
    does not see the files of this machine, they are in a volume there, below the folder of `bucket`; the directory
    stands for it and is empty.
    """

    token = "dataops:local:Lake"
    required = frozenset({"path"})
    optional = frozenset({"source", "generation", "container", "bucket"})
    replace_on = frozenset({"path"})
    outputs = frozenset({"url", "path", "cloned", "carriedBytes"})
    delete_before_replace = True

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        path = Path(inputs["path"])
        source = str(inputs.get("source") or "")
        generation = str(inputs.get("generation") or "")
        complete, begun = mark_of(path, "complete"), mark_of(path, "partial")
        carried = CarriedLake.of(inputs)
        outdated = generation and complete.exists() and _outdated(path, generation)
        if outdated or (complete.exists() and _elsewhere(path, inputs)):
            begun.touch()
            complete.unlink()
        if not complete.exists():
            if path.exists() and any(path.iterdir()) and not begun.exists():
                raise ResourceError(f"{path} is not empty and was not made by dataops", hint="move it away")
            path.parent.mkdir(parents=True, exist_ok=True)
            begun.touch()
            remove_tree(path)
            made: dict[str, Any] = {"technique": "empty", "generation": generation}
            if carried:
                # its server would be started again on a volume that is being filled
                Supervisor(EnvironmentLayout(Path(carried.place.root)).supervisor).halt(f"service-{LAKE}")
                content, report = carried.fill(Path(source) if source else None)
                own = {"container": inputs["container"], "bucket": carried.bucket, "content": content}
                made |= {**own, "technique": report.technique, "bytes": report.bytes}
            elif source:
                made["technique"] = copy_tree(Path(source), path).technique
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
            begun.write_text(json.dumps(made), encoding="utf-8")
            begun.replace(complete)
        return CreateResult(str(path), _outputs(path))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        path = Path(recorded.id)
        if not path.is_dir() or not mark_of(path, "complete").exists() or _elsewhere(path, recorded.inputs):
            return ReadResult("", {})
        return ReadResult(recorded.id, recorded.outputs)

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        path = Path(recorded.id)
        if carried := CarriedLake.of(recorded.inputs):
            carried.remove()
        mark_of(path, "partial").touch() if path.parent.exists() else None
        mark_of(path, "complete").unlink(missing_ok=True)
        remove_tree(path)
        mark_of(path, "partial").unlink(missing_ok=True)


def _elsewhere(path: Path, inputs: dict[str, Any]) -> bool:
    """Whether objects that were laid are not where they are looked for: their volume is gone, or on another engine.

    Raises:
        ResourceError: they are, and exist nowhere else.
    """
    carried = CarriedLake.of(inputs)
    if str(_made(path).get("content") or "") == (carried.content if carried else ""):
        return False
    if not inputs.get("source"):
        raise elsewhere(str(path))
    return True


def _outputs(path: Path) -> dict[str, Any]:
    made = _made(path)
    carried = {"carriedBytes": made["bytes"]} if "bytes" in made else {}
    return {"url": path.absolute().as_uri(), "path": str(path), "cloned": made["technique"], **carried}


def _outdated(path: Path, generation: str) -> bool:
    made = _made(path).get("generation")
    # objects that were laid when they had no names yet are the first
    return not generation.endswith("/0") if made is None else bool(made != generation)


def _made(path: Path) -> dict[str, Any]:
    text = mark_of(path, "complete").read_text(encoding="utf-8")
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:  # laid when objects had no names yet: the technique alone
        return {"technique": text}
    return found
