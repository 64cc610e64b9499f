"""Commands in an environment whose programs are containers: they become containers on its network, too."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from dataops.envs.pipeline import plan_of
from dataops.envs.registry import EnvironmentRecord
from dataops.infra.process.container_command import run_command
from dataops.infra.process.containers import ContainerPlace, code_program


def in_container(record: EnvironmentRecord, words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """The command that runs another in a container of the environment, with this terminal.

    Args:
        record: the environment.
        words: the command.
        variables: what it is to see of variables; whoever becomes the result must have them.

    Raises:
        NotFoundError: the environment has no plan yet, or there is no `docker` on PATH.
    """
    place = ContainerPlace.of(plan_of(record).container)
    program = code_program(place, "command", words)
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout))
    return run_command(place, program, variables, terminal=terminal)


def shell_of(record: EnvironmentRecord) -> str:
    """The shell for an environment: the user's own, or in a container the one that every image has."""
    return "/bin/sh" if record.target == "docker" else os.environ.get("SHELL") or "/bin/sh"
