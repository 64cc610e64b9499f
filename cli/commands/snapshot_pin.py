"""`dataops snapshot pin|unpin`: keep a snapshot from being removed."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli.commands.env_options import folder_option, output_option
from dataops.cli.commands.snapshot_options import platform_layout
from dataops.cli.parameter_types import SNAPSHOT
from dataops.cli.tables import print_json


@click.command()
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@click.option("--why", default="", metavar="TEXT", help="What for; shown where the snapshot is kept.")
@folder_option
@output_option
def pin(snapshot_id: str, why: str, cwd: Path, as_json: bool) -> None:
    """Keep a snapshot: neither rm nor prune nor shred touches it.

    \b
    Example:
      dataops snapshot pin 20261123T004042Z-1f0c9a2b3d4e --why "audit of March"
    """
    from dataops.snapshots.removal import pin as keep

    keep(platform_layout(cwd), snapshot_id, why)
    _tell(snapshot_id, True, as_json)


@click.command()
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@folder_option
@output_option
def unpin(snapshot_id: str, cwd: Path, as_json: bool) -> None:
    """Let a snapshot be removed again.

    \b
    Example:
      dataops snapshot unpin 20261123T004042Z-1f0c9a2b3d4e
    """
    from dataops.snapshots.removal import unpin as let_go

    let_go(platform_layout(cwd), snapshot_id)
    _tell(snapshot_id, False, as_json)


def _tell(snapshot: str, pinned: bool, as_json: bool) -> None:
    if as_json:
        print_json({"id": snapshot, "pinned": pinned})
    else:
        click.echo(f"{snapshot} is {'pinned' if pinned else 'not pinned'}")
