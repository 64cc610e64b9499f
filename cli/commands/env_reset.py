"""`dataops env reset`."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli.commands.env_options import confirm, find_environment, folder_option, output_option
from dataops.cli.commands.env_progress import progress
from dataops.cli.commands.env_up import prepare_next, print_report, tools_for
from dataops.cli.engine_option import engine_option
from dataops.cli.parameter_types import ENVIRONMENT, SNAPSHOT


@click.command()
@click.argument("name", type=ENVIRONMENT)
@click.option(
    "--snapshot",
    "--to",
    type=SNAPSHOT,
    metavar="ID",
    help="Its data: an id, newest, empty or subset:RULE; by default what it has.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also while a pipeline runs in it.")
@engine_option
@folder_option
@output_option
def reset(
    name: str, snapshot: str | None, yes: bool, force: bool, engine: str | None, cwd: Path, as_json: bool
) -> None:
    """Put a replica's data back to its snapshot.

    Warehouse and lake are laid anew, and everything that was written to them is lost. Code, addresses and passwords
    stay as they are; services are started again. When it was interrupted, run it again, or `env up`.

    \b
    Examples:
      dataops env reset feature-x --yes
      dataops env reset feature-x --to newest
      dataops env reset feature-x --to empty
    """
    from dataops.envs.phases import PhaseClock
    from dataops.envs.reset import ResetRequest, checkout_of, refuse_reset
    from dataops.envs.reset import reset as put_back

    tools = tools_for(cwd, engine)
    registry, record = find_environment(name, cwd)
    refuse_reset(record, force)
    source = snapshot or record.snapshot
    confirm(f"Replace all data of {name} by those of snapshot {source}?", yes, f"dataops env reset {name}")
    checkout = checkout_of(record, cwd.absolute())
    with progress() as sink:
        report = put_back(ResetRequest(name, snapshot or "", force), registry, checkout, tools, PhaseClock(sink))
    print_report(report, as_json)
    prepare_next(report, cwd)
