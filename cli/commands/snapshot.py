"""`dataops snapshot`: masked snapshots of production; here `capture`, `ls` and `show`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataops.cli.commands.env_options import find_environment, folder_option, output_option
from dataops.cli.commands.snapshot_options import at_option, count_references, open_by_id, platform_layout, size
from dataops.cli.commands.snapshot_summary import print_summaries, summary_here
from dataops.cli.lazy import Entry, LazyGroup
from dataops.cli.notices import notice
from dataops.cli.parameter_types import ENVIRONMENT, SNAPSHOT
from dataops.cli.tables import print_facts, print_json, print_table
from dataops.infra.errors import PolicyError, ResourceError

if TYPE_CHECKING:
    from dataops.envs.registry import EnvironmentRecord
    from dataops.infra.platform.layout import PlatformLayout
    from dataops.snapshots.manifest import Manifest

STORE = ("bytes", "stored", "own", "shared", "pinned", "shredded")
"""What `show` says beside the manifest, since it changes."""

snapshot = LazyGroup(
    "snapshot",
    {
        "capture": Entry("dataops.cli.commands.snapshot:capture", "Take a masked snapshot of an environment."),
        "ls": Entry("dataops.cli.commands.snapshot:ls", "List the snapshots."),
        "show": Entry("dataops.cli.commands.snapshot:show", "Show what a snapshot holds and what was masked."),
        "classify": Entry("dataops.cli.commands.snapshot_classify:classify", "Propose rules for what has none."),
        "check-masking": Entry(
            "dataops.cli.commands.snapshot_masking:check_masking", "Show what masking did, and what looks wrong."
        ),
        "restore": Entry("dataops.cli.commands.snapshot_restore:restore", "Restore a snapshot into any Postgres."),
        "verify": Entry("dataops.cli.commands.snapshot_check:verify", "Read everything that is stored and check it."),
        "diff": Entry("dataops.cli.commands.snapshot_check:diff", "Compare two snapshots."),
        "push": Entry("dataops.cli.commands.snapshot_transfer:push", "Copy a snapshot to a bucket."),
        "pull": Entry("dataops.cli.commands.snapshot_transfer:pull", "Copy a snapshot from a bucket."),
        "pin": Entry("dataops.cli.commands.snapshot_pin:pin", "Keep a snapshot from being removed."),
        "unpin": Entry("dataops.cli.commands.snapshot_pin:unpin", "Let a snapshot be removed again."),
        "rm": Entry("dataops.cli.commands.snapshot_remove:rm", "Remove a snapshot."),
        "prune": Entry("dataops.cli.commands.snapshot_remove:prune", "Remove old snapshots."),
        "shred": Entry("dataops.cli.commands.snapshot_remove:shred", "Destroy the key of a snapshot."),
    },
    help="""Capture masked snapshots, list, check and remove them.

    \b
    Examples:
      dataops snapshot capture --env production    a masked copy that replicas are made of
      dataops snapshot ls                          what there is
    """,
)


@click.command()
@click.option(
    "-e",
    "--env",
    "name",
    metavar="NAME",
    type=ENVIRONMENT,
    default="production",
    show_default=True,
    help="What to capture.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="Processes that read and mask, some 60 MB each; by default one per processor, up to 8.",
)
@click.option(
    "--from",
    "dsn",
    metavar="DSN",
    help="Read this server instead of the environment's own, such as its standby: postgresql://user@host/name without "
    "a password, with sslmode and certificates where it wants TLS; - reads it from standard input.",
)
@click.option(
    "--subset",
    "rules",
    metavar="RULE",
    multiple=True,
    help="Take some rows only: TABLE:5%, :200, :all, :none, :down or :PREDICATE; may be repeated.",
)
@click.option("-q", "--quiet", is_flag=True, help="No line per table.")
@folder_option
@output_option
def capture(
    name: str, jobs: int | None, dsn: str | None, rules: tuple[str, ...], quiet: bool, cwd: Path, as_json: bool
) -> None:
    """Take a masked snapshot of an environment, by the rules of `masking` in dataops.yaml.

    One that was interrupted goes on where it stopped when it is run again. Nothing is changed in the database, which
    may be a standby; it needs PostgreSQL 12 or newer.

    With --subset it has the rows that the rules choose, and every row that those refer to by foreign keys. A percentage
    and a number choose the same rows each time, by a hash of their key. TABLE:down takes the rows of a table that refer
    to chosen rows. Tables that nothing leads to are whole when they are small (8 MiB) and depend on nothing that is
    incomplete, else empty. The lake is whole but for lake:PATTERN:none, :5% or a number of objects.

    \b
    Examples:
      dataops snapshot capture --env production
      dataops snapshot capture --subset flights:5% --subset bookings:down
      dataops snapshot capture --subset "bookings: booked_at > '2026-01-01'" --subset "lake:archive/*:none"
      dataops snapshot capture --from "postgresql://reader@standby.example.com/shop?sslmode=verify-full"
    """
    import resource
    import time

    from dataops.envs.checkout import FILE_NAME, Checkout, platform_folder
    from dataops.envs.guard import production_addresses
    from dataops.infra.platform.layout import EnvironmentLayout
    from dataops.infra.platform.loader import read_platform_document
    from dataops.infra.process.lake_volume import lake_at_hand
    from dataops.snapshots.capture import CaptureOptions
    from dataops.snapshots.capture import capture as take
    from dataops.snapshots.subsets.rules import parse_rules

    subset = parse_rules(rules)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the masking key is in memory
    checkout = Checkout.find(cwd.absolute())
    registry, record = find_environment(name, cwd)
    if record.role == "replica":
        raise PolicyError(
            f"{name} is a replica, made of a snapshot itself", hint="capture production: --env production"
        )
    if dsn is None:
        connection, database = warehouse_of(record)
    else:
        connection, database = _origin(dsn)
    options = CaptureOptions(
        jobs=jobs or 0,
        production_hosts=production_addresses(registry.all()),
        progress=(lambda line: None) if quiet else lambda line: notice(line, phase="capture", moment="step"),
        document=read_platform_document(platform_folder(cwd.absolute(), checkout.repository) / FILE_NAME),
        subset=subset,
    )
    began = time.monotonic()
    with lake_at_hand(EnvironmentLayout(Path(record.root)).lake) as lake:
        manifest = take(checkout.platform, connection, database, lake, checkout.layout, record.commit, name, options)
    if as_json:
        print_json({**summary_here(manifest, checkout.layout), "seconds": round(time.monotonic() - began, 3)})
        return
    click.echo(f"Snapshot {click.style(manifest.id, bold=True)} of {name} in {time.monotonic() - began:.1f} s")
    _print_facts(manifest, checkout.layout)


@click.command()
@at_option
@folder_option
@output_option
def ls(url: str | None, cwd: Path, as_json: bool) -> None:
    """List the snapshots of the platform at hand, oldest first.

    \b
    Examples:
      dataops snapshot ls -o json
      dataops snapshot ls --at s3://snapshots/shop?region=eu-west-1
    """
    from dataops.snapshots.store import list_snapshots

    if url:
        from dataops.cli.commands.snapshot_transfer import list_bucket

        list_bucket(url, platform_layout(cwd), as_json)
        return
    layout = _layout(cwd)
    if layout:
        count_references(layout)
    summaries = [summary_here(manifest, layout) for manifest in list_snapshots(layout)] if layout else []
    print_summaries(summaries, "There is no snapshot; take one with `dataops snapshot capture`.", as_json)


@click.command()
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@click.option("--verify", is_flag=True, help="Read every chunk, too.")
@folder_option
@output_option
def show(snapshot_id: str, verify: bool, cwd: Path, as_json: bool) -> None:
    """Show what a snapshot holds and what was masked; ID may be newest, or subset:RULE.

    \b
    Examples:
      dataops snapshot show newest
      dataops snapshot show 20261123T004042Z-1f0c9a2b3d4e
    """
    from dataops.snapshots.choosing import meant
    from dataops.snapshots.store import load_manifest

    layout = platform_layout(cwd)
    manifest = load_manifest(layout, meant(snapshot_id, layout))
    count_references(layout)
    if verify:
        open_by_id(layout, manifest.id).check()
    if as_json:
        store = {name: value for name, value in summary_here(manifest, layout).items() if name in STORE}
        print_json({**asdict(manifest), "store": store})
        return
    click.echo(f"Snapshot {click.style(manifest.id, bold=True)}" + (", every chunk as recorded" if verify else ""))
    _print_facts(manifest, layout)
    rows = [(f"warehouse:{name}", f"{t.rows:,}", f"{t.bytes:,}") for name, t in manifest.tables.items()]
    rows += [
        (f"lake:{name}", "" if o.rows is None else f"{o.rows:,}", f"{o.bytes:,}")
        for name, o in manifest.objects.items()
    ]
    click.echo()
    if manifest.subset:
        shares = [share_of(manifest, name) for name in manifest.tables] + [("", "")] * len(manifest.objects)
        parts = [(name, count, *share, size) for (name, count, size), share in zip(rows, shares, strict=True)]
        print_table(("DATA", "ROWS", "OF", "WHY", "BYTES"), parts)
    else:
        print_table(("DATA", "ROWS", "BYTES"), rows)
    if manifest.masking:
        click.echo()
        masked = [(n, m.rule, f"{m.distinct:,}", f"{m.changed:,}") for n, m in manifest.masking.items()]
        print_table(("MASKED COLUMN", "RULE", "DIFFERENT VALUES", "ROWS CHANGED"), masked)


def share_of(manifest: Manifest, table: str) -> tuple[str, str]:
    """Of a table in a subset: how many rows there were to choose from, and why these were chosen."""
    portion = manifest.subset.tables.get(table) if manifest.subset else None
    if portion is None:
        return "", ""
    total = manifest.tables[table].rows if portion.of is None else portion.of
    return f"{'about ' if portion.estimated else ''}{total:,}", portion.why


def _origin(dsn: str) -> tuple[dict[str, Any], str]:
    """What `--from` says, from standard input when it is `-`."""
    import sys

    from dataops.snapshots.origin import read_origin
    from dataops.snapshots.target import check_dsn

    typed = dsn != "-"
    dsn = dsn if typed else sys.stdin.readline().strip()
    check_dsn(dsn, typed, "--from")
    return read_origin(dsn, "--from")


def warehouse_of(record: EnvironmentRecord) -> tuple[dict[str, Any], str]:
    """The superuser's connection to an environment's warehouse, and its database."""
    from dataops.infra.process.postgres_status import status

    warehouse = record.facts.get("warehouse", {})
    running = status(Path(warehouse["dataDirectory"])) if warehouse.get("dataDirectory") else None
    if running is None or not running.ready:
        raise ResourceError(
            f"the warehouse of {record.name} does not run", hint=f"start it with `dataops env deploy {record.name}`"
        )
    return running.connection, warehouse["database"]


def _layout(cwd: Path) -> Any:
    from dataops.envs.checkout import find_layout

    return find_layout(cwd.absolute())


def _print_facts(manifest: Manifest, layout: PlatformLayout) -> None:
    told = summary_here(manifest, layout)
    print_facts(
        [
            *(("subset", rule) for rule in told["subset"] or ()),
            ("tables", f"{told['tables']} with {told['rows']:,} rows"),
            ("objects", f"{told['objects']}" + (f" of {manifest.subset.objects}" if manifest.subset else "")),
            ("masked", f"{told['maskedColumns']} {'column' if told['maskedColumns'] == 1 else 'columns'}"),
            ("size", size(told["bytes"])),
            ("stored", f"{size(told['stored'])}, {told['shared']:.0%} of it shared with other snapshots; signed"),
        ]
    )
    for reference in manifest.production_references:
        found = f"  {reference.where} names the production host {reference.host} {reference.count:,} times"
        click.echo(click.style(found, fg="yellow"))
    for what in manifest.left_out:
        click.echo(click.style(f"  it does not carry {what}", fg="yellow"))
    for part in manifest.unsearched:
        click.echo(click.style(f"  {part.where} was not searched for production hosts: {part.why}", fg="yellow"))
