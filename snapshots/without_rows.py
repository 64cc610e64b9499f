"""The schema of a snapshot alone: its manifest without rows and objects, derived, so that it needs no signature.

It stands in no store by itself; its id is that of the snapshot with `WITHOUT_ROWS` at the end.
"""

from __future__ import annotations

from dataclasses import replace

from dataops.snapshots.manifest import SCHEMA, Manifest, StoredData

WITHOUT_ROWS = "-empty"
"""What the id of a snapshot ends with of which only the schema is meant."""


def without_rows(manifest: Manifest) -> Manifest:
    """What a snapshot would be without its rows and objects: its schema alone. It stands in no store by itself."""
    nothing = StoredData(0, 0, "")
    return replace(
        manifest,
        id=id_without_rows(manifest.id),
        sequences={},
        tables={name: replace(entry, rows=0, bytes=0, data=nothing) for name, entry in manifest.tables.items()},
        objects={},
        masking={},
        production_references=tuple(r for r in manifest.production_references if r.where == SCHEMA),
        unsearched=(),
        subset=None,
    )


def id_without_rows(snapshot: str) -> str:
    """The id of a snapshot's schema alone."""
    return base_of(snapshot) + WITHOUT_ROWS


def base_of(snapshot: str) -> str:
    """The id of the snapshot that lies in the store: its own, or that of which it is the schema."""
    return snapshot.removesuffix(WITHOUT_ROWS)
