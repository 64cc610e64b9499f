"""The branch's code and the Python environment that runs it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.declaration import Declared
from dataops.infra.errors import ConfigurationError


class Worktree(Declared):
    """A checkout of one commit; it is never deleted while it holds work that is not committed."""

    token = "dataops:local:Worktree"

    def __init__(
        self, name: str, *, repository: Path, commit: str, path: Path, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, {"repository": str(repository), "commit": commit, "path": str(path)}, opts)

    @property
    def path(self) -> pulumi.Output[str]:
        return self.output("path")


class VirtualEnvironment(Declared):
    """A Python environment with exactly the requirements of a file."""

    token = "dataops:local:VirtualEnvironment"
    results = ("python",)

    def __init__(
        self,
        name: str,
        *,
        path: Path,
        requirements: Path,
        requirements_hash: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"path": str(path), "requirements": str(requirements), "requirementsHash": requirements_hash}
        super().__init__(name, inputs, opts)

    @property
    def path(self) -> pulumi.Output[str]:
        return self.output("path")

    @property
    def python(self) -> pulumi.Output[str]:
        """The path of its interpreter."""
        return self.output("python")


class EnvironmentFile(Declared):
    """A file of environment variables that only its owner reads."""

    token = "dataops:local:EnvironmentFile"
    results = ("digest",)

    def __init__(
        self,
        name: str,
        *,
        path: Path,
        variables: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, {"path": str(path), "variables": dict(variables)}, opts)

    @property
    def path(self) -> pulumi.Output[str]:
        return self.output("path")

    @property
    def digest(self) -> pulumi.Output[str]:
        """A secret digest of its content: what reads the file is restarted when it changes."""
        return pulumi.Output.secret(self.output("digest"))


def requirements_key(requirements: Path) -> str:
    """The hash that names the environment for a requirements file under this Python version: 64 hex digits.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        content = requirements.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the requirements cannot be read: {error.strerror}",
            where=str(requirements),
            hint="commit the file, or name another as `code.requirements` in dataops.yaml",
        ) from None
    version = f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"
    return hashlib.sha256(version.encode() + b"\0" + content).hexdigest()


@dataclass(frozen=True, slots=True)
class WorkspaceArgs:
    """What a workspace is made of.

    Args:
        repository, commit, worktree: which commit of which repository is checked out where.
        root: the platform's folder in the worktree.
        requirements: the requirements file, below the worktree.
        key: `requirements_key` of its content.
        venv: where the environment with that key goes; None where an image brings the requirements.
    """

    repository: Path
    commit: str
    worktree: Path
    root: Path
    requirements: Path
    key: str
    venv: Path | None


class Workspace(pulumi.ComponentResource):
    """A checkout and its Python environment: what pipelines and services run in, as processes.

    `venv` and `python` are "" where they run in containers.
    """

    directory: pulumi.Output[str]
    python: pulumi.Output[str]
    venv: pulumi.Output[str]

    def __init__(self, name: str, args: WorkspaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:Workspace", name, None, opts)
        below = pulumi.ResourceOptions(parent=self)
        self.worktree = Worktree(
            "worktree", repository=args.repository, commit=args.commit, path=args.worktree, opts=below
        )
        self.resources: list[pulumi.Resource] = [self.worktree]
        self.directory = self.worktree.path.apply(lambda _: str(args.root))
        self.python = self.venv = pulumi.Output.from_input("")
        if args.venv is not None:
            environment = VirtualEnvironment(
                "venv",
                path=args.venv,
                requirements=args.requirements,
                requirements_hash=args.key,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.worktree]),
            )
            self.resources.append(environment)
            self.python, self.venv = environment.python, environment.path
        outputs: dict[str, Any] = {"directory": self.directory, "python": self.python}
        self.register_outputs(outputs)

    def command(self, words: tuple[str, ...]) -> pulumi.Output[list[str]]:
        """A command with a leading `python` (or `python3`) resolved to the environment's own."""
        resolve = words[0] in {"python", "python3"}
        return self.python.apply(lambda python: [python if resolve else words[0], *words[1:]])
