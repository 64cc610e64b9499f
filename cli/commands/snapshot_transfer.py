"""`dataops snapshot push|pull`: snapshots carried to a bucket, and from it to another machine; and what lies there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import folder_option, output_option
from dataops.cli.commands.snapshot_options import platform_layout, size
from dataops.cli.commands.snapshot_summary import print_summaries, summary
from dataops.cli.parameter_types import SNAPSHOT
from dataops.cli.tables import print_json

if TYPE_CHECKING:
    from dataops.infra.platform.layout import PlatformLayout
    from dataops.snapshots.transfer import Carried


@click.command()
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@click.argument("url", metavar="URL")
@folder_option
@output_option
def push(snapshot_id: str, url: str, cwd: Path, as_json: bool) -> None:
    """Copy a snapshot to a bucket: s3://bucket/prefix?region=…, with the parameters of a state's URL.

    Only what is not there yet is carried; one push after another may be cut off, the next goes on. What lies there is
    seen with `snapshot ls --at URL`, and removed with `snapshot rm` and `prune`.

    \b
    Example:
      dataops snapshot push 20261123T004042Z-1f0c9a2b3d4e s3://snapshots/shop?region=eu-west-1
    """
    from dataops.snapshots.bucket import Bucket
    from dataops.snapshots.transfer import push as carry

    layout, bucket = platform_layout(cwd), Bucket.parse(url)
    with bucket.exclusively(f"snapshot push {snapshot_id}") as check:
        carried = carry(layout, snapshot_id, bucket.storage, check)
    _tell(carried, "Pushed", as_json)


@click.command()
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@click.argument("url", metavar="URL")
@folder_option
@output_option
def pull(snapshot_id: str, url: str, cwd: Path, as_json: bool) -> None:
    """Copy a snapshot from a bucket, and check it; ID may be newest.

    The platform's keys/store.key and keys/signing.pub must be here: copy them from the machine that captures. The
    masking key stays there.

    \b
    Examples:
      dataops snapshot pull newest s3://snapshots/shop?region=eu-west-1
      dataops snapshot pull 20261123T004042Z-1f0c9a2b3d4e s3://snapshots/shop?region=eu-west-1
    """
    from dataops.snapshots.bucket import Bucket, newest_held
    from dataops.snapshots.choosing import LATEST, NEWEST
    from dataops.snapshots.transfer import pull as carry

    layout, storage = platform_layout(cwd), Bucket.parse(url).storage
    snapshot = newest_held(storage, layout.keys) if snapshot_id in (NEWEST, LATEST) else snapshot_id
    _tell(carry(layout, snapshot, storage), "Pulled", as_json)


def list_bucket(url: str, layout: PlatformLayout, as_json: bool) -> None:
    """Prints what a bucket holds, oldest first."""
    from dataops.snapshots.bucket import Bucket, list_held

    summaries = [summary(held.manifest, held.stored) for held in list_held(Bucket.parse(url).storage, layout.keys)]
    none = "There is no snapshot in the bucket; put one there with `dataops snapshot push`."
    print_summaries(summaries, none, as_json)


def _tell(carried: Carried, what: str, as_json: bool) -> None:
    if as_json:
        print_json(asdict(carried))
    else:
        part = f"{carried.chunks} of {carried.of} chunks were not there, {size(carried.bytes)}"
        click.echo(f"{what} {carried.snapshot}: {part}")
