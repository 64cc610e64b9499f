"""What the engine is asked to do for a change: the same request for a preview and for the update itself."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dataops.envs.change import Change
from dataops.envs.checkout import Checkout
from dataops.envs.phases import starting_over
from dataops.envs.stack import OUR_TYPES
from dataops.infra.platform.parameters import EnvironmentParameters

if TYPE_CHECKING:
    from dataops.infra.engine.deployer import Config, Program, UpdateOptions
    from dataops.infra.state.project import ProjectFile


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """A program, what it is told, and how the engine goes about it."""

    program: Program
    config: Config = field(repr=False)
    options: UpdateOptions


def parameters_of(change: Change, checkout: Checkout) -> EnvironmentParameters:
    """What tells the environment of a change from others, in the words of the stacks."""
    return EnvironmentParameters(
        environment=change.name,
        role=change.role,
        repository=checkout.repository.common,
        commit=change.commit,
        home=checkout.layout.home,
        directory=checkout.layout.directory,
        target=change.target,
        branch=change.branch,
        subdirectory=checkout.subdirectory,
        snapshot=change.snapshot,
        developer=change.developer,
        production_hosts=change.production_hosts,
        warehouse_generation=change.generations.get("warehouse", ""),
        lake_generation=change.generations.get("lake", ""),
        variables=change.variables,
    )


def request_for(change: Change, checkout: Checkout, folder: Path) -> EngineRequest:
    """The request that makes a change.

    Args:
        change: what is to be made.
        checkout: the platform.
        folder: where the platform's folder of the change's commit lies: in the environment's worktree, or for a preview
            wherever it was extracted to.

    Raises:
        ConfigurationError: its Pulumi.yaml is not valid.
    """
    from dataops.infra.engine.deployer import UpdateOptions
    from dataops.infra.resources.values import Secret
    from dataops.infra.state.project import load_project

    project = load_project(folder / "Pulumi.yaml")
    remade, redone = starting_over(change.from_phase)
    options = UpdateOptions(
        refresh=True,
        message=change.command,
        adopted=OUR_TYPES,
        remade=remade,
        redone=redone,
        metadata={"git.head": change.commit, "git.headName": f"refs/heads/{change.branch}", "git.dirty": "false"},
    )
    parameters: dict[str, str | Secret] = {**parameters_of(change, checkout).to_config()}
    if change.variables:
        # They are given where a password would be, so the history keeps them encrypted.
        parameters["dataops:variables"] = Secret(json.dumps(dict(change.variables), sort_keys=True))
    config: Config = {**project.defaults, **change.configuration, **parameters}
    return EngineRequest(program_of(project, checkout.platform.name), config, options)


def program_of(project: ProjectFile, name: str) -> Program:
    """The program that a Pulumi.yaml describes, as the engine runs it."""
    from dataops.infra.engine.deployer import Program

    python = project.virtualenv / "bin" / "python" if project.virtualenv else Path(sys.executable)
    return Program(project=name, root=project.root, main=project.main, python=python)
