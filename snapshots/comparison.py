"""Two snapshots compared: what was added, removed and changed, and how much of it both have as the same chunks."""

from __future__ import annotations

from dataclasses import dataclass

from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Difference:
    """One table or object in two snapshots.

    Args:
        name: `warehouse:schema.table`, `lake:path` or `schema`.
        state: added, removed, changed or same.
        rows: before and after; None where it is not there, or has no rows.
        bytes: before and after, of the COPY text or the object.
        shared: chunks that both have.
        own: chunks that only the second has.
        own_stored: what these take in the store.
    """

    name: str
    state: str
    rows: tuple[int | None, int | None]
    bytes: tuple[int | None, int | None]
    shared: int
    own: int
    own_stored: int


def compare(first: SnapshotReader, second: SnapshotReader) -> list[Difference]:
    """What became of each table and object from one snapshot to another, and of the schema."""
    before, after = _sizes(first.manifest), _sizes(second.manifest)
    held = {ref.identity for refs in first.contents.parts.values() for ref in refs}
    found = []
    for label in sorted(before.keys() | after.keys()):
        own = second.contents.parts.get(label, ())
        mine = {ref.identity: ref.stored for ref in own}
        new = mine.keys() - held
        old_rows, old_bytes = before.get(label, (None, None))
        new_rows, new_bytes = after.get(label, (None, None))
        state = "added" if label not in before else "removed" if label not in after else "changed"
        if state == "changed" and [r.hash for r in own] == [r.hash for r in first.contents.parts[label]]:
            state = "same"
        found.append(
            Difference(
                _shown(label),
                state,
                (old_rows, new_rows),
                (old_bytes, new_bytes),
                len(mine.keys() & held),
                len(new),
                sum(mine[chunk] for chunk in new),
            )
        )
    return found


def _sizes(manifest: Manifest) -> dict[str, tuple[int | None, int | None]]:
    sizes: dict[str, tuple[int | None, int | None]] = {label: (None, None) for label in manifest.data()}
    sizes |= {f"tables/{name}": (table.rows, table.bytes) for name, table in manifest.tables.items()}
    return sizes | {f"lake/{path}": (entry.rows, entry.bytes) for path, entry in manifest.objects.items()}


def _shown(label: str) -> str:
    kind, _, name = label.partition("/")
    return {"tables": f"warehouse:{name}", "lake": f"lake:{name}"}.get(kind, label)
