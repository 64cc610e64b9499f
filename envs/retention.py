"""Which snapshots environments are made of: those that no removal may touch."""

from __future__ import annotations

from collections import defaultdict

from dataops.envs.registry import Registry
from dataops.snapshots.without_rows import base_of


def snapshots_in_use(registry: Registry) -> dict[str, list[str]]:
    """The environments that are made of a snapshot, by its id.

    Raises:
        VerificationError: a record cannot be read, and with it what its environment is made of.
    """
    records, damaged = registry.survey()
    for error in damaged.values():
        raise error
    used: defaultdict[str, list[str]] = defaultdict(list)
    for record in records:
        if record.snapshot:
            used[base_of(record.snapshot)].append(record.name)
    return dict(used)
