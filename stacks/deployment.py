"""Finds out which environment is asked for, declares it, and exports what others need to know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pulumi

from dataops.infra.components.data_platform import DataPlatform, DataPlatformArgs
from dataops.infra.components.workspace import requirements_key
from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.dockerfile import plan_build, require_dockerfile
from dataops.infra.platform.loader import FILE_NAME, load_platform
from dataops.infra.platform.model import Platform
from dataops.infra.platform.parameters import NAMESPACE, EnvironmentParameters, config_keys
from dataops.stacks import production, replica, staging

Stack = Callable[[Platform, EnvironmentParameters, str], DataPlatformArgs]

STACKS: dict[str, Stack] = {
    "production": production.arguments,
    "staging": staging.arguments,
    "replica": replica.arguments,
}
"""The stack of each role."""


def declare_environment() -> DataPlatform:
    """Declares the environment of this stack and exports its outputs; see `dataops.stacks.deploy`."""
    config = pulumi.Config(NAMESPACE)
    names = [key.partition(":")[2] for key in config_keys()]
    parameters = EnvironmentParameters.from_config({f"{NAMESPACE}:{name}": config.get(name) or "" for name in names})
    path = find_platform_file(Path.cwd(), config.get("platformFile"))
    platform = load_platform(path)
    code = platform.code
    if parameters.target == "docker":
        build = plan_build(path.parent, code.dockerfile, code.requirements)
        for key, dockerfile in platform.dockerfiles().items():
            require_dockerfile(path.parent, dockerfile, key)
        arguments = replace(STACKS[parameters.role](platform, parameters, ""), build=build)
    else:
        key = requirements_key(path.parent / code.requirements)
        arguments = STACKS[parameters.role](platform, parameters, key)
    environment = DataPlatform(platform.name, arguments)
    export(environment, parameters)
    return environment


def find_platform_file(start: Path, configured: str | None = None) -> Path:
    """The `dataops.yaml` of a program that runs in `start`: there or above; or the configured file, relative to it.

    Raises:
        ConfigurationError: there is none.
    """
    folders = [start, *start.parents]
    if configured:
        candidates = [folder / configured for folder in folders]
    else:
        candidates = [folder / FILE_NAME for folder in folders]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ConfigurationError(
        f"there is no {configured or FILE_NAME} in {start} or above",
        hint=f"run `dataops init`, or set the configuration `{NAMESPACE}:platformFile`",
    )


def export(environment: DataPlatform, parameters: EnvironmentParameters) -> None:
    """Exports the stack's outputs: where it listens, its folders, and (secret) the passwords of its logins."""
    layout, warehouse = parameters.layout, environment.warehouse
    pulumi.export("environment", parameters.environment)
    pulumi.export("role", parameters.role)
    pulumi.export("commit", parameters.commit)
    pulumi.export("endpoints", environment.endpoints.endpoints)
    pulumi.export(
        "warehouse",
        {
            "connection": warehouse.connection,
            "host": warehouse.cluster.host,
            "port": warehouse.cluster.port,
            "database": warehouse.database,
            "logins": sorted(environment.access.logins),
        },
    )
    pulumi.export("secrets", environment.access.passwords())
    pulumi.export(
        "paths",
        {
            "worktree": str(parameters.worktree),
            "code": environment.workspace.directory,
            "python": environment.workspace.python,
            "variables": environment.file.path,
            "lake": environment.lake.path,
            "postgres": warehouse.cluster.data_directory,
            "supervisor": environment.supervisor.directory,
            "logs": str(layout.logs),
            "runs": str(layout.runs),
            "endpoints": environment.endpoints.path,
        },
    )
    if environment.verification:
        pulumi.export("snapshot", parameters.snapshot)
        pulumi.export("checks", environment.verification.checks)
