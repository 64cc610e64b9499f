"""`dataops pipeline pause|resume`."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli.commands.env_options import find_environment, folder_option, output_option
from dataops.cli.options import environment_option
from dataops.cli.parameter_types import PIPELINE
from dataops.cli.tables import print_json


@click.command()
@click.argument("name", metavar="PIPELINE", type=PIPELINE)
@environment_option
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at `pipeline ls`.")
@folder_option
@output_option
def pause(name: str, environment: str, reason: str, cwd: Path, as_json: bool) -> None:
    """Stop starting a pipeline by its schedule, until it is resumed; updates do not change that.

    A run that is going on goes on. Due times that pass meanwhile are not made up for.

    \b
    Example:
      dataops pipeline pause flights --env production --reason "source is down"
    """
    _set(name, environment, cwd, as_json, paused=True, reason=reason)


@click.command()
@click.argument("name", metavar="PIPELINE", type=PIPELINE)
@environment_option
@folder_option
@output_option
def resume(name: str, environment: str, cwd: Path, as_json: bool) -> None:
    """Start a pipeline by its schedule again, from the next due time on; also in a replica.

    \b
    Example:
      dataops pipeline resume flights --env feature-x
    """
    _set(name, environment, cwd, as_json, paused=False)


def _set(name: str, environment: str, cwd: Path, as_json: bool, paused: bool, reason: str = "") -> None:
    from dataops.envs.pipeline import set_paused

    _, record = find_environment(environment, cwd)
    changed = set_paused(record, name, paused, reason)
    if as_json:
        print_json({"pipeline": name, "environment": environment, "paused": paused, "changed": changed})
        return
    if paused:
        click.echo(f"{name} in {environment} is paused." if changed else f"{name} in {environment} was paused already.")
    else:
        click.echo(f"{name} in {environment} is resumed." if changed else f"{name} in {environment} is not paused.")
