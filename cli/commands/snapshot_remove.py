"""`dataops snapshot rm|prune|shred`: snapshots taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import confirm, folder_option, output_option
from dataops.cli.commands.snapshot_options import at_option, in_use, platform_layout, size
from dataops.cli.notices import notice
from dataops.cli.parameter_types import SNAPSHOT
from dataops.cli.tables import print_json, print_table
from dataops.infra.errors import ConfigurationError, LockedError

if TYPE_CHECKING:
    from dataops.infra.platform.layout import PlatformLayout
    from dataops.snapshots.removal import Removed, Retention

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


@click.command()
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@at_option
@yes_option
@folder_option
@output_option
def rm(snapshot_id: str, url: str | None, yes: bool, cwd: Path, as_json: bool) -> None:
    """Remove a snapshot that is not pinned and that no environment is made of.

    \b
    Examples:
      dataops snapshot rm 20261123T004042Z-1f0c9a2b3d4e --yes
      dataops snapshot rm 20261123T004042Z-1f0c9a2b3d4e --at s3://snapshots/shop?region=eu-west-1
    """
    from dataops.snapshots.removal import check_free, remove

    layout = platform_layout(cwd)
    if url:
        confirm(f"Remove the snapshot {snapshot_id} from the bucket?", yes, f"dataops snapshot rm {snapshot_id}")
        _tell(_remove_held(layout, url, [snapshot_id]), as_json)
        return
    check_free(layout, snapshot_id, in_use(layout))
    confirm(f"Remove the snapshot {snapshot_id}?", yes, f"dataops snapshot rm {snapshot_id}")
    _tell(remove(layout, [snapshot_id], lambda: in_use(layout)), as_json)


@click.command()
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep the N newest.")
@click.option("--older-than", metavar="DURATION", help="Remove only what is older: 12h, 30d.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@at_option
@yes_option
@folder_option
@output_option
def prune(
    keep: int | None, older_than: str | None, dry_run: bool, url: str | None, yes: bool, cwd: Path, as_json: bool
) -> None:
    """Remove old snapshots: those that are beyond both bounds, not pinned, and that no environment is made of.

    The newest snapshot always stays, and the newest that is no subset. Pins and environments keep what is on this
    machine, not what is in a bucket.

    \b
    Examples:
      dataops snapshot prune --keep 7 --dry-run
      dataops snapshot prune --keep 3 --older-than 30d --yes
      dataops snapshot prune --keep 30 --at s3://snapshots/shop?region=eu-west-1
    """
    from dataops.snapshots.bucket import Bucket
    from dataops.snapshots.removal import Bounds, decide, remove, retain

    if keep is None and older_than is None:
        raise ConfigurationError("it must be said what to keep", hint="--keep N, --older-than 30d, or both")
    layout = platform_layout(cwd)
    age = _duration(older_than) if older_than else None
    bounds = Bounds(keep or 1, age)
    if url:
        decided = retain(Bucket.parse(url).storage, layout.keys, bounds)
    else:
        decided = decide(layout, in_use(layout), bounds)
    if dry_run or not decided.going:
        _show(decided, as_json)
        if not dry_run and not url and (freed := remove(layout, ()).freed):
            notice(f"{size(freed)} are free again, which a removal that was killed had left.")
        return
    if not as_json:
        _show(decided, as_json)
    confirm(f"Remove these {len(decided.going)} snapshots?", yes, "dataops snapshot prune")
    done = _remove_held(layout, url, decided.going) if url else remove(layout, decided.going, lambda: in_use(layout))
    _tell(done, as_json)


@click.command()
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@yes_option
@folder_option
@output_option
def shred(snapshot_id: str, yes: bool, cwd: Path, as_json: bool) -> None:
    """Destroy the key of a snapshot: its data cannot be read any more, in no copy of the store.

    The manifest stays, as evidence of what there was.

    \b
    Example:
      dataops snapshot shred 20261123T004042Z-1f0c9a2b3d4e --yes
    """
    from dataops.snapshots.removal import check_free
    from dataops.snapshots.removal import shred as destroy

    layout = platform_layout(cwd)
    check_free(layout, snapshot_id, in_use(layout))
    confirm(
        f"Destroy the key of {snapshot_id}? Nothing brings its data back.", yes, f"dataops snapshot shred {snapshot_id}"
    )
    _tell(destroy(layout, snapshot_id, lambda: in_use(layout)), as_json)


def _remove_held(layout: PlatformLayout, url: str, snapshots: Sequence[str]) -> Removed:
    from dataops.snapshots.bucket import Bucket, remove_held
    from dataops.snapshots.removal import Removed

    bucket = Bucket.parse(url)
    with bucket.exclusively("snapshot removal") as check:
        freed = remove_held(bucket.storage, snapshots, layout.keys, check)
    return Removed(tuple(snapshots), (), freed)


def _duration(text: str) -> timedelta:
    from dataops.infra.platform.quantities import seconds_of

    try:
        return timedelta(seconds=seconds_of(text))
    except ValueError:
        raise ConfigurationError(f"{text!r} is no duration", where="--older-than", hint="use 12h or 30d") from None


def _show(decided: Retention, as_json: bool) -> None:
    if as_json:
        print_json({"removed": [], "going": list(decided.going), "staying": [asdict(s) for s in decided.staying]})
        return
    rows = [(snapshot, "goes", "") for snapshot in decided.going]
    rows += [(kept.snapshot, "stays", kept.why) for kept in decided.staying]
    print_table(("ID", "WHAT", "WHY"), sorted(rows))


def _tell(done: Removed, as_json: bool) -> None:
    if as_json:
        left = [asdict(kept) for kept in done.left]
        print_json({"removed": list(done.snapshots), "left": left, "freed": done.freed})
    else:
        for snapshot in done.snapshots:
            click.echo(f"Removed {snapshot}")
        if done.freed is None:
            notice("Room is made at the end of the capture that is under way.")
        elif done.snapshots:
            notice(f"{size(done.freed)} are free again.")
    for kept in done.left:
        raise LockedError(f"the snapshot {kept.snapshot} was left: {kept.why}", hint="run the command again")
