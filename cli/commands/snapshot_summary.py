"""What is said of a snapshot on one line, wherever it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dataops.cli.commands.snapshot_options import size
from dataops.cli.notices import notice
from dataops.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from dataops.infra.platform.layout import PlatformLayout
    from dataops.snapshots.manifest import Manifest


def summary(manifest: Manifest, stored: int) -> dict[str, Any]:
    """What is said of a snapshot.

    Args:
        stored: bytes that its chunks take, those included that others have too.
    """
    return {
        "id": manifest.id,
        "platform": manifest.platform,
        "environment": manifest.environment,
        "created": manifest.created,
        "commit": manifest.git_commit,
        "tables": len(manifest.tables),
        "rows": sum(table.rows for table in manifest.tables.values()),
        "objects": len(manifest.objects),
        "bytes": manifest.size,
        "stored": stored,
        "subset": list(manifest.subset.rules) if manifest.subset else None,
        "maskedColumns": len(manifest.masking),
        "policyHash": manifest.policy_hash,
        "schemaHash": manifest.schema_hash,
        "productionReferences": [asdict(reference) for reference in manifest.production_references],
        "unsearched": [asdict(part) for part in manifest.unsearched],
    }


def summary_here(manifest: Manifest, layout: PlatformLayout) -> dict[str, Any]:
    """The same of one on this machine; `shared` is the part of its stored bytes that others have too."""
    from dataops.snapshots.references import References
    from dataops.snapshots.removal import pinned, shredded

    shares = References(layout.snapshots).shares(manifest.id)
    return {
        **summary(manifest, shares.stored),
        "own": shares.own,
        "shared": round(shares.shared, 4),
        "pinned": pinned(layout, manifest.id) is not None,
        "shredded": shredded(layout, manifest.id),
    }


def print_summaries(summaries: Sequence[dict[str, Any]], none: str, as_json: bool) -> None:
    """Prints summaries of one kind; where there is none, for people, that."""
    if as_json:
        print_json(summaries)
        return
    if not summaries:
        notice(none)
        return
    rows = [
        {
            "ID": s["id"],
            "ENVIRONMENT": s["environment"],
            "COMMIT": s["commit"][:12],
            "TABLES": str(s["tables"]),
            "ROWS": f"{s['rows']:,}",
            "OBJECTS": str(s["objects"]),
            "BYTES": size(s["bytes"]),
            "STORED": size(s["stored"]),
            **(
                {
                    "SHARED": f"{s['shared']:.0%}",
                    "KEPT": "shredded" if s["shredded"] else "pinned" if s["pinned"] else "",
                }
                if "shared" in s
                else {}
            ),
            "SUBSET": "; ".join(s["subset"] or ()),
        }
        for s in summaries
    ]
    print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])
