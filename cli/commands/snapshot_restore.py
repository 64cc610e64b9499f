"""`dataops snapshot restore`: a snapshot into any Postgres, for use without environments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.cli.commands.env_options import confirm, end_in_order, folder_option, output_option
from dataops.cli.notices import notice
from dataops.cli.parameter_types import SNAPSHOT
from dataops.cli.tables import print_facts, print_json
from dataops.infra.errors import ConfigurationError

if TYPE_CHECKING:
    from dataops.envs.registry import EnvironmentRecord
    from dataops.snapshots.restore_into import Progress


@click.command()
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@click.option(
    "--into",
    "dsn",
    metavar="DSN",
    required=True,
    help="The database, as postgresql://user@host:5432/name without a password; - reads it from standard input.",
)
@click.option("--clean", is_flag=True, help="Remove everything in the database first.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-q", "--quiet", is_flag=True, help="No line per table.")
@folder_option
@output_option
def restore(snapshot_id: str, dsn: str, clean: bool, yes: bool, quiet: bool, cwd: Path, as_json: bool) -> None:
    """Restore the warehouse of a snapshot into any Postgres: all of it, or nothing when something fails.

    The database must be empty, or --clean. The password comes from PGPASSWORD or ~/.pgpass, or with the DSN on
    standard input. Everything restored belongs to the user who is connected; roles are not made. ID may be `newest`
    or `subset:RULE`.

    \b
    Examples:
      dataops snapshot restore newest --into postgresql://me@localhost:5432/scratch
      cat dsn.txt | dataops snapshot restore 20261123T004042Z-1f0c9a2b3d4e --into - --clean --yes
    """
    from dataops.envs.checkout import Checkout
    from dataops.envs.guard import forbidden
    from dataops.envs.registry import Registry
    from dataops.infra.platform.quantities import size_text
    from dataops.snapshots.choosing import meant
    from dataops.snapshots.restore_into import restore_into, version_text
    from dataops.snapshots.store import load_manifest, reading
    from dataops.snapshots.target import check_dsn, open_target, refuse_production

    end_in_order()
    typed = dsn != "-"
    dsn = dsn if typed else sys.stdin.readline().strip()
    check_dsn(dsn, typed)
    checkout = Checkout.find(cwd.absolute())
    layout, records = checkout.layout, Registry(checkout.layout.registry).all()
    manifest = load_manifest(layout, meant(snapshot_id, layout))
    refuse_production(dsn, forbidden(checkout, checkout.platform, records))
    if clean:
        confirm(f"Remove everything in the database that {_described(dsn)} says?", yes, "dataops snapshot restore")
    elif yes:
        raise ConfigurationError("there is nothing to confirm without --clean", where="--yes")

    def tell(progress: Progress) -> None:
        rate = progress.bytes[0] / max(progress.seconds, 0.001)
        left = (progress.bytes[1] - progress.bytes[0]) / rate if rate else 0
        notice(
            f"{progress.table}: {progress.tables[0]} of {progress.tables[1]} tables, {progress.rows[0]:,} of "
            f"{progress.rows[1]:,} rows, {size_text(round(rate))}/s, {left:.0f} s left",
            phase="restore",
            moment="step",
            table=progress.table,
            rows=progress.rows[0],
        )

    with (
        reading(layout.snapshots, manifest, layout.keys) as snapshot,
        open_target(dsn, _clusters(records)) as target,
    ):
        done = restore_into(snapshot, target, emptied=clean, tell=(lambda _: None) if quiet else tell)
        facts = {"database": target.database, "server": target.place, "version": version_text(target.version)}
        owner = target.user
    if as_json:
        print_json({"snapshot": manifest.id, **facts, "owner": owner, "tables": done.tables, "rows": done.rows})
        return
    click.echo(f"Snapshot {click.style(manifest.id, bold=True)} is in {facts['database']}, in {done.seconds:.1f} s")
    print_facts(
        [
            ("server", f"{facts['server']}, PostgreSQL {facts['version']}"),
            ("tables", f"{done.tables} with {done.rows:,} rows, counted"),
            ("owner", f"{owner}; no roles or privileges were made"),
        ]
    )
    if manifest.objects:
        notice(f"The {len(manifest.objects)} objects of its lake are files: a replica has them (dataops env up).")


def _described(dsn: str) -> str:
    """A DSN without what may be secret."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    shown = {k: str(v) for k, v in conninfo_to_dict(dsn).items() if v and k in ("host", "hostaddr", "port", "dbname")}
    return f"`{make_conninfo(**shown)}`"


def _clusters(records: list[EnvironmentRecord]) -> list[str]:
    """The system identifiers of the clusters of production and staging on this machine."""
    from dataops.infra.process.postgres_server import system_identifier

    found = []
    for record in records:
        data = Path(str(record.facts.get("warehouse", {}).get("dataDirectory") or f"{record.root}/postgres"))
        if record.role != "replica" and (data / "global" / "pg_control").exists():
            found.append(system_identifier(data))
    return found
