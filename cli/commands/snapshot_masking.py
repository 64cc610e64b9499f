"""`dataops snapshot check-masking`: what masking did to each column of a snapshot."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli.commands.env_options import folder_option, output_option
from dataops.cli.commands.snapshot_options import platform_layout
from dataops.cli.notices import notice
from dataops.cli.parameter_types import SNAPSHOT
from dataops.cli.tables import print_json, print_table
from dataops.infra.errors import VerificationError


@click.command("check-masking")
@click.argument("snapshot_id", metavar="ID", type=SNAPSHOT)
@click.option(
    "--canaries",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Values of production, one a line, that must not be found.",
)
@folder_option
@output_option
def check_masking(snapshot_id: str, canaries: Path | None, cwd: Path, as_json: bool) -> None:
    """Show what masking did to each column of a snapshot, and what looks as if it did too little.

    Every stored value is looked at: columns where many values did not change, addresses that could be real, card
    numbers, bank accounts, keys and tokens that were kept, values that became equal, canaries. No value is shown.

    \b
    Exit codes: 0 nothing was found; 11 something was.

    \b
    Examples:
      dataops snapshot check-masking 20261123T004042Z-1f0c9a2b3d4e
      dataops snapshot check-masking 20261123T004042Z-1f0c9a2b3d4e --canaries planted.txt -o json
    """
    from dataops.snapshots.check_masking import check_masking as check
    from dataops.snapshots.check_masking import summary_of
    from dataops.snapshots.store import load_manifest, reading
    from dataops.snapshots.suspicions import Canaries

    layout = platform_layout(cwd)
    manifest = load_manifest(layout, snapshot_id)
    planted = canaries.read_text(encoding="utf-8").splitlines() if canaries else []
    with reading(layout.snapshots, manifest, layout.keys) as snapshot:
        columns = check(snapshot, Canaries(planted))
    found = [(column.label, finding) for column in columns for finding in column.findings]
    if as_json:
        found_columns = list(map(summary_of, columns))
        print_json({"snapshot": manifest.id, "canaries": len(Canaries(planted)), "columns": found_columns})
    else:
        headings = ("COLUMN", "RULE", "ROWS", "NULL", "DIFFERENT BEFORE", "NOW", "CHANGED", "UNIQUE", "FINDINGS")
        print_table(
            headings,
            [
                (
                    column.label,
                    column.rule if len(column.rule) <= 40 else f"{column.word}(…)",
                    f"{column.rows:,}",
                    f"{column.nulls:,}",
                    "" if column.before is None else f"{column.before:,}",
                    f"{column.after:,}",
                    "" if column.share is None else f"{column.share:.1%}",
                    column.unique,
                    "; ".join(column.findings),
                )
                for column in columns
            ],
        )
    if found:
        label, finding = found[0]
        raise VerificationError(
            f"{label}: {finding}" + (f", and {len(found) - 1} more findings" if len(found) > 1 else ""),
            hint="give the column another rule in dataops.yaml and capture again; prune this snapshot",
        )
    notice(f"{len(columns)} columns, nothing suspicious.")
