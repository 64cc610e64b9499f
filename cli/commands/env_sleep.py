"""`dataops env sleep|wake`."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli.commands.env_options import end_in_order, find_environment, folder_option, output_option
from dataops.cli.commands.env_progress import progress
from dataops.cli.notices import notice
from dataops.cli.parameter_types import ENVIRONMENT
from dataops.cli.tables import print_facts, print_json


@click.command()
@click.argument("name", type=ENVIRONMENT)
@click.option("--force", is_flag=True, help="Also production, and while a pipeline runs, which is ended.")
@folder_option
@output_option
def sleep(name: str, force: bool, cwd: Path, as_json: bool) -> None:
    """Stop every process of an environment; data, ports and credentials stay.

    \b
    Example:
      dataops env sleep feature-x
    """
    from dataops.envs.phases import PhaseClock
    from dataops.envs.sleep import sleep as put_to_sleep

    end_in_order()
    registry, _ = find_environment(name, cwd)
    with progress() as sink:
        report = put_to_sleep(name, registry, PhaseClock(sink), force)
    if as_json:
        print_json(report.to_json())
        return
    was = "sleeps" if report.changed else "was asleep already"
    click.echo(f"{click.style(name, bold=True)} {was}; nothing of it runs, its data is kept.")
    notice(f"Bring it back with: dataops env wake {name}")


@click.command()
@click.argument("name", type=ENVIRONMENT)
@folder_option
@output_option
def wake(name: str, cwd: Path, as_json: bool) -> None:
    """Bring a sleeping environment back, or one whose processes are gone since the machine was restarted.

    Data, ports and credentials are as they were. A port that somebody else has taken meanwhile is replaced, and told.

    \b
    Example:
      dataops env wake feature-x
    """
    from dataops.envs.phases import PhaseClock
    from dataops.envs.wake import wake as bring_back

    end_in_order()
    registry, _ = find_environment(name, cwd)
    with progress() as sink:
        report = bring_back(name, registry, PhaseClock(sink))
    if as_json:
        print_json(report.to_json())
        return
    how = f"is awake again after {report.seconds:.1f} s" if report.changed else "was awake already"
    click.echo(f"{click.style(name, bold=True)} {how}.")
    warehouse = report.record.facts.get("warehouse", {})
    where = f"{warehouse.get('host')}:{warehouse.get('port')}/{warehouse.get('database')}"
    services = [(name, str(s["url"])) for name, s in report.record.facts.get("services", {}).items() if "url" in s]
    print_facts([("warehouse", where), *services])
    for note in report.notes:
        click.echo(f"  {note}")
