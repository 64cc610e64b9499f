"""Which snapshot is meant by what somebody asks for: an id, the newest, one by the rules of a subset, or no rows."""

from __future__ import annotations

from dataops.infra.errors import NotFoundError
from dataops.infra.platform.layout import PlatformLayout
from dataops.snapshots.contents import RESTORABLE, ShreddedError, is_shredded
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.storage.local import LocalStorage
from dataops.snapshots.store import list_snapshots, load_manifest, newest, snapshot_ids
from dataops.snapshots.subsets.rules import SubsetRule, parse_rule, parse_rules
from dataops.snapshots.without_rows import base_of, id_without_rows

NEWEST, LATEST, EMPTY = "newest", "latest", "empty"
SUBSET = "subset:"
SHOWN = 5


def choose_snapshot(asked: str, layout: PlatformLayout) -> Manifest:
    """The snapshot that is asked for.

    Args:
        asked: an id; `newest` or `latest` for the newest with all rows; `empty` for its schema without rows;
            `subset:RULE` for the newest that was captured with that rule, and `subset:RULE; RULE` with all of these.

    Raises:
        NotFoundError: there is no such snapshot, and which there are; it was shredded.
        ConfigurationError: the rule is none.
        VerificationError: its manifest is torn or was tampered with.
    """
    if asked in (NEWEST, LATEST):
        return newest(layout)
    if asked == EMPTY:
        return load_manifest(layout, id_without_rows(newest(layout).id))
    if asked.startswith(SUBSET):
        return _with_rules(asked.removeprefix(SUBSET), layout)
    storage = LocalStorage(layout.snapshots)
    ids = snapshot_ids(storage)
    if base_of(asked) not in ids:
        hint = f"there are {_listed(ids)}" if ids else "take one with `dataops snapshot capture --env production`"
        raise NotFoundError(f"there is no snapshot `{asked}`", hint=hint)
    if is_shredded(storage, base_of(asked)):
        raise ShreddedError(f"the snapshot {asked} was shredded: its key was destroyed", hint=RESTORABLE)
    return load_manifest(layout, asked)


def meant(asked: str, layout: PlatformLayout) -> str:
    """The id that is meant by what is asked for; an id is itself, whether or not there is such a snapshot.

    Raises:
        NotFoundError: no snapshot is meant.
    """
    return choose_snapshot(asked, layout).id if asked in (NEWEST, LATEST) or asked.startswith(SUBSET) else asked


def _with_rules(text: str, layout: PlatformLayout) -> Manifest:
    wanted = parse_rules(part for part in text.split(";") if part.strip())
    storage = LocalStorage(layout.snapshots)
    subsets = [m for m in list_snapshots(layout) if m.subset and not is_shredded(storage, m.id)]
    for manifest in reversed(subsets):
        rules = rules_of(manifest)
        if wanted and all(any(rule.covers(own) for own in rules) for rule in wanted):
            return manifest
    capture = " ".join(f'--subset "{rule.text}"' for rule in wanted) or "--subset RULE"
    there = [f"{'; '.join(rule.text for rule in rules_of(m))} ({m.id})" for m in subsets]
    raise NotFoundError(
        f"no snapshot was captured with `{text.strip()}`",
        hint=(f"there are {_listed(there)}; " if there else "there is no subset yet; ")
        + f"`dataops snapshot capture {capture}` takes one",
    )


def rules_of(manifest: Manifest) -> tuple[SubsetRule, ...]:
    """The rules that a subset was captured with."""
    return tuple(map(parse_rule, manifest.subset.rules)) if manifest.subset else ()


def _listed(names: list[str]) -> str:
    """The last few of some names, the last one first."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(reversed(names[-SHOWN:])) + more
