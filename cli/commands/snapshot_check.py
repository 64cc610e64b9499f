"""`dataops snapshot verify|diff`: whether snapshots are as they were made, and what differs between two."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from dataops.cli.commands.env_options import folder_option, output_option
from dataops.cli.commands.snapshot_options import at_option, change, open_by_id, platform_layout, size
from dataops.cli.notices import notice
from dataops.cli.parameter_types import SNAPSHOT
from dataops.cli.tables import print_json, print_table
from dataops.infra.errors import DataopsError, VerificationError


@click.command()
@click.argument("snapshot_id", metavar="[ID]", required=False, type=SNAPSHOT)
@at_option
@folder_option
@output_option
def verify(snapshot_id: str | None, url: str | None, cwd: Path, as_json: bool) -> None:
    """Read every chunk of a snapshot, or of all, and compare it with what was signed.

    \b
    Examples:
      dataops snapshot verify
      dataops snapshot verify 20261123T004042Z-1f0c9a2b3d4e
      dataops snapshot verify --at s3://snapshots/shop?region=eu-west-1
    """
    from dataops.snapshots.bucket import Bucket
    from dataops.snapshots.contents import is_shredded
    from dataops.snapshots.storage.local import LocalStorage
    from dataops.snapshots.store import open_manifest, open_snapshot, snapshot_ids

    layout = platform_layout(cwd)
    storage = Bucket.parse(url).storage if url else LocalStorage(layout.snapshots)
    outcomes, problems = [], []
    for snapshot in [snapshot_id] if snapshot_id else snapshot_ids(storage):
        if not snapshot_id and is_shredded(storage, snapshot):
            outcomes.append({"id": snapshot, "ok": True, "chunks": 0, "detail": "shredded: there is nothing to read"})
            continue
        try:
            opened = open_snapshot(storage, open_manifest(storage, snapshot, layout.keys), layout.keys)
            opened.check_present()
            opened.check()
            chunks = len(opened.contents.chunks())
            outcomes.append({"id": snapshot, "ok": True, "chunks": chunks, "detail": "every chunk as recorded"})
        except DataopsError as error:
            if snapshot_id and not isinstance(error, VerificationError):
                raise
            outcomes.append({"id": snapshot, "ok": False, "chunks": 0, "detail": str(error)})
            problems.append(error)
    if as_json:
        print_json(outcomes)
    elif not outcomes:
        notice("There is no snapshot; take one with `dataops snapshot capture`.")
    else:
        rows = [(str(o["id"]), "yes" if o["ok"] else "no", str(o["chunks"]), str(o["detail"])) for o in outcomes]
        print_table(("ID", "AS MADE", "CHUNKS", "DETAIL"), rows)
    if problems:
        raise problems[0]


@click.command()
@click.argument("first", metavar="A", type=SNAPSHOT)
@click.argument("second", metavar="B", type=SNAPSHOT)
@click.option("-a", "--all", "everything", is_flag=True, help="Also what is the same in both.")
@folder_option
@output_option
def diff(first: str, second: str, everything: bool, cwd: Path, as_json: bool) -> None:
    """Compare two snapshots: tables and objects with rows and bytes, and the chunks that both have.

    \b
    Example:
      dataops snapshot diff 20261123T004042Z-1f0c9a2b3d4e 20261124T004107Z-8a1b5e0c77d2
    """
    from dataops.snapshots.comparison import compare

    layout = platform_layout(cwd)
    found = compare(open_by_id(layout, first), open_by_id(layout, second))
    shown = [d for d in found if everything or d.state != "same"]
    if as_json:
        print_json([asdict(d) for d in shown])
        return
    headings = ("DATA", "STATE", "ROWS", "BYTES", "SHARED CHUNKS", "OWN CHUNKS", "OWN BYTES STORED")
    rows = [
        (d.name, d.state, change(*d.rows), change(*d.bytes), str(d.shared), str(d.own), size(d.own_stored))
        for d in shown
    ]
    if rows:
        print_table(headings, rows)
    own, shared = sum(d.own_stored for d in found), sum(d.shared for d in found)
    notice(f"{second} has {shared} chunks in common with {first}; what it has besides takes {size(own)}.")
