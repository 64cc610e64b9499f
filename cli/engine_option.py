"""`--engine`: what makes resources of programs, the engine that comes with dataops or the `pulumi` command."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli.options import surroundings
from dataops.envs.settings import value_of

engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "embedded", "pulumi"]),
    help="What does it: auto is embedded, the engine of dataops; pulumi is that command on PATH.",
)


def chosen_engine(cwd: Path, given: str | None = None) -> str:
    """The engine by option, DATAOPS_ENGINE, dataops.yaml, git, in this order."""
    return str(value_of("engine", surroundings(cwd), given))
