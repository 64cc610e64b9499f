"""`dataops env history`."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli import wiring
from dataops.cli.commands.env_options import find_environment, folder_option, output_option
from dataops.cli.commands.env_report import counted
from dataops.cli.notices import notice
from dataops.cli.parameter_types import ENVIRONMENT
from dataops.cli.tables import print_json, print_table


@click.command()
@click.argument("name", type=ENVIRONMENT)
@click.option("--limit", type=click.IntRange(1), metavar="COUNT", help="The newest so many; by default all.")
@folder_option
@output_option
def history(name: str, limit: int | None, cwd: Path, as_json: bool) -> None:
    """Show what was done to an environment: when, by which command, from which commit, and how it ended.

    \b
    Example:
      dataops env history production --limit 5
    """
    from dataops.envs.history import history as read_history

    _, record = find_environment(name, cwd)
    entries = read_history(record, wiring.environment_tools(), limit)
    if as_json:
        print_json([entry.to_json() for entry in entries])
        return
    if not entries:
        notice(f"Nothing was done to {name} yet.")
        return
    rows = [
        (
            str(entry.version),
            entry.started.removesuffix("+00:00") + "Z",
            f"{entry.seconds} s",
            entry.result,
            entry.command,
            entry.commit[:12],
            entry.author,
            entry.subject,
            counted(entry.changes),
        )
        for entry in entries
    ]
    print_table(("#", "STARTED", "TOOK", "RESULT", "COMMAND", "COMMIT", "AUTHOR", "MESSAGE", "CHANGES"), rows)
