"""`dataops snapshot push|pull`: snapshots carried to a bucket, and from it to another machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import folder_option, output_option
from dataops.cli.commands.snapshot_options import platform_layout, size
from dataops.cli.parameter_types import SNAPSHOT
from dataops.cli.tables import print_json

if TYPE_CHECKING:
    from dataops.snapshots.transfer import Carried


@click.command()
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@click.argument("url", metavar="URL")
@folder_option
@output_option
def push(snapshot_id: str, url: str, cwd: Path, as_json: bool) -> None:
    """Copy a snapshot to a bucket: s3://bucket/prefix?region=…, with the parameters of a state's URL.

    \b
    Example:
      dataops snapshot push 20261123T004042Z-1f0c9a2b3d4e s3://snapshots/shop?region=eu-west-1
    """
    from dataops.snapshots.transfer import open_storage
    from dataops.snapshots.transfer import push as carry

    _tell(carry(platform_layout(cwd), snapshot_id, open_storage(url)), "Pushed", as_json)


@click.command()
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@click.argument("url", metavar="URL")
@folder_option
@output_option
def pull(snapshot_id: str, url: str, cwd: Path, as_json: bool) -> None:
    """Copy a snapshot from a bucket, and check it.

    The platform's keys/store.key and keys/signing.pub must be here: copy them from the machine that captures. The
    masking key stays there.

    \b
    Example:
      dataops snapshot pull 20261123T004042Z-1f0c9a2b3d4e s3://snapshots/shop?region=eu-west-1
    """
    from dataops.snapshots.transfer import open_storage
    from dataops.snapshots.transfer import pull as carry

    _tell(carry(platform_layout(cwd), snapshot_id, open_storage(url)), "Pulled", as_json)


def _tell(carried: Carried, what: str, as_json: bool) -> None:
    if as_json:
        print_json(asdict(carried))
    else:
        part = f"{carried.chunks} of {carried.of} chunks were not there, {size(carried.bytes)}"
        click.echo(f"{what} {carried.snapshot}: {part}")
