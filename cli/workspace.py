"""The folder a stack command works in: its Pulumi.yaml, its backend, and the stack that is selected there.

The selection is kept where the `pulumi` CLI keeps it, `$PULUMI_HOME/workspaces/<project>-<sha1>-workspace.json`, keyed
by the backend's URL, so that both agree on what is selected.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError, NotFoundError
from dataops.infra.state.backend import ORGANIZATION, StackReference
from dataops.infra.state.project import ProjectFile, find_project

PLATFORM_FILE = "dataops.yaml"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One project as commands see it.

    Args:
        project: its Pulumi.yaml.
        backend_url: where its stacks are kept.
        home: `PULUMI_HOME`.
    """

    project: ProjectFile
    backend_url: str
    home: Path

    @classmethod
    def open(cls, cwd: Path, environment: Mapping[str, str] = os.environ) -> Workspace:
        """The workspace of the project that `cwd` lies in; `ConfigurationError` when there is none."""
        project = find_project(cwd)
        home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
        return cls(project, _backend_url(project, home, environment), home)

    @property
    def selection_file(self) -> Path:
        """The file that says which stack is selected."""
        digest = hashlib.sha1(str(self.project.path).encode(), usedforsecurity=False).hexdigest()
        return self.home / "workspaces" / f"{self.project.name}-{digest}-workspace.json"

    def reference(self, named: str | None, environment: Mapping[str, str] = os.environ) -> StackReference:
        """The stack that a command is about: the one named, else `PULUMI_STACK`, else the selected one.

        Raises:
            ConfigurationError: the name is not a stack's.
            NotFoundError: none is named or selected.
        """
        name = named or environment.get("PULUMI_STACK") or self.selected()
        if not name:
            raise NotFoundError(
                "no stack is selected",
                where=str(self.project.path),
                hint="`dataops stack select STACK` or `dataops stack init STACK`, or add `--stack STACK`",
            )
        return StackReference.parse(name, self.project.name)

    def selected(self) -> str | None:
        """The selected stack's qualified name."""
        found = self._selections()
        named = found.get("stacks", {}).get(self.backend_url) or found.get("stack")
        return named if isinstance(named, str) and named else None

    def select(self, ref: StackReference | None) -> None:
        """Selects a stack for this backend, or none."""
        found = self._selections()
        stacks = {url: name for url, name in found.get("stacks", {}).items() if url != self.backend_url}
        found.pop("stack", None)
        if ref is not None:
            stacks[self.backend_url] = f"{ORGANIZATION}/{ref.project}/{ref.stack}"
        found["stacks"] = stacks
        path = self.selection_file
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{os.getpid()}.tmp")
        scratch.write_text(json.dumps(found, indent=4))
        scratch.replace(path)

    def _selections(self) -> dict[str, Any]:
        try:
            found = json.loads(self.selection_file.read_text())
        except (FileNotFoundError, ValueError):
            # A selection is a convenience: a damaged file is as good as none and is replaced at the next `select`.
            return {}
        return found if isinstance(found, dict) else {}


def _backend_url(project: ProjectFile, home: Path, environment: Mapping[str, str]) -> str:
    """PULUMI_BACKEND_URL, `backend` of Pulumi.yaml or dataops.yaml, `pulumi login`, else `.dataops/state`."""
    if url := environment.get("PULUMI_BACKEND_URL"):
        return _supported(url, "PULUMI_BACKEND_URL", Path.cwd())
    if project.backend_url:
        return _supported(project.backend_url, str(project.path), project.root)
    if (project.root / PLATFORM_FILE).exists():
        from dataops.infra.platform.loader import load_platform

        return _supported(load_platform(project.root / PLATFORM_FILE).backend, PLATFORM_FILE, project.root)
    try:
        logged_in = json.loads((home / "credentials.json").read_text()).get("current", "")
    except (FileNotFoundError, ValueError):
        logged_in = ""
    if logged_in.startswith(("file://", "s3://")):
        return str(logged_in)
    return f"file://{project.root}/.dataops/state"


def _supported(url: str, where: str, base: Path) -> str:
    """The URL with its path made absolute (`~` stays, as the `pulumi` CLI keeps it)."""
    scheme, separator, path = url.partition("://")
    if not separator:
        scheme, path = "file", url
    if scheme == "s3":
        return url
    if scheme != "file":
        raise ConfigurationError(
            f"state cannot be kept at {scheme}://",
            where=where,
            hint="use a folder, file:///path or file://~, or a bucket, s3://bucket/prefix?region=…",
        )
    return f"file://{path}" if path.startswith(("/", "~")) else f"file://{(base / path).resolve()}"
