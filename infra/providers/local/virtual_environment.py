"""`dataops:local:VirtualEnvironment`: a Python environment with exactly what a requirements file pins."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.commands import run_command
from dataops.infra.process.usage import reinstate, retire
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler

MARKER = ".dataops-complete"
"""Written last, with the hash of the requirements: without it, the environment is half made and is made anew."""
TIMEOUT = 1800.0


class VirtualEnvironmentHandler(ResourceHandler):
    """Made by uv, which installs what the file lists and nothing else, and checks hashes where the file has them."""

    token = "dataops:local:VirtualEnvironment"
    required = frozenset({"path", "requirements", "requirementsHash"})
    replace_on = frozenset({"path", "requirementsHash"})
    outputs = frozenset({"path", "python"})

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        path = Path(inputs["path"])
        reinstate(path)
        python = path / "bin" / "python"
        wanted = str(inputs["requirementsHash"])
        if _marked(path) != wanted or not python.exists():
            _build(path, Path(inputs["requirements"]), operation.timeout or TIMEOUT)
            (path / MARKER).write_text(wanted, encoding="utf-8")
        return CreateResult(str(path), {"path": str(path), "python": str(python)})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        path = Path(recorded.id)
        if _marked(path) is None or not (path / "bin" / "python").exists():
            return ReadResult("", {})
        return ReadResult(recorded.id, recorded.outputs)

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        path = Path(recorded.id)
        if retire(path):
            return  # a run goes on with it, and removes it at its end
        (path / MARKER).unlink(missing_ok=True)
        if path.exists():
            shutil.rmtree(path)


def _marked(path: Path) -> str | None:
    try:
        return (path / MARKER).read_text(encoding="utf-8")
    except OSError:
        return None


def _build(path: Path, requirements: Path, timeout: float) -> None:
    if not requirements.is_file():
        raise ResourceError(f"there is no requirements file {requirements}", hint="see `code:` in dataops.yaml")
    if path.exists() and any(path.iterdir()) and not (path / "pyvenv.cfg").exists():
        raise ResourceError(f"{path} is not empty and is no virtual environment", hint="move it away")
    (path / MARKER).unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    # uv's own variables say where packages come from and where its cache is
    environment = {name: value for name, value in os.environ.items() if name.startswith("UV_")}
    run_command(
        [_uv(), "venv", "--quiet", "--no-project", "--clear", "--python", sys.executable, path],
        purpose=f"make the virtual environment {path}",
        environment=environment,
        timeout=timeout,
    )
    run_command(
        [_uv(), "pip", "sync", "--quiet", "--allow-empty-requirements"]
        + ["--python", str(path / "bin" / "python"), str(requirements)],
        purpose=f"install {requirements}",
        directory=requirements.parent,
        environment=environment,
        timeout=timeout,
    )


def _uv() -> str:
    from uv import find_uv_bin

    return os.fspath(find_uv_bin())
