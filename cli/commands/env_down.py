"""`dataops env down`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from dataops.cli import wiring
from dataops.cli.commands.env_options import confirm, end_in_order, find_environment, folder_option, output_option
from dataops.cli.commands.env_progress import progress
from dataops.cli.commands.env_report import phase_lines
from dataops.cli.engine_option import chosen_engine, engine_option
from dataops.cli.parameter_types import ENVIRONMENT
from dataops.cli.tables import print_json


@click.command()
@click.argument("name", type=ENVIRONMENT)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--force", is_flag=True, help="Also production or staging, uncommitted work in its code, or a lost passphrase."
)
@engine_option
@folder_option
@output_option
def down(name: str, yes: bool, force: bool, engine: str | None, cwd: Path, as_json: bool) -> None:
    """Remove an environment and prove that nothing is left.

    It works from what was recorded: branch, repository and dataops.yaml may be gone.

    \b
    Example:
      dataops env down feature-x --yes
    """
    from dataops.envs.down import down as take_down
    from dataops.envs.down import refuse
    from dataops.envs.phases import PhaseClock

    end_in_order()
    registry, record = find_environment(name, cwd)
    refuse(record, force)
    confirm(f"Remove {name} ({record.role}, branch {record.branch}) and its data?", yes, f"dataops env down {name}")
    if force:
        # How the provider of worktrees, which may run in another process, is told.
        os.environ["DATAOPS_FORCE"] = "1"
    with progress() as sink:
        report = take_down(
            name, registry, wiring.environment_tools(chosen_engine(cwd, engine)), PhaseClock(sink), force
        )
    if as_json:
        print_json(report.to_json())
        return
    click.echo(f"{click.style(name, bold=True)} is gone; no process, file, worktree or port of it is left.")
    for note in report.notes:
        click.echo(f"  {note}")
    click.echo(f"\nIt took {report.seconds:.1f} s:")
    click.echo(phase_lines(report.phases, report.seconds))
