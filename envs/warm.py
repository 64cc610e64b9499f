"""Copies of a replica's database made ahead, for the next `env up` or `env reset`, where clones cannot share blocks."""

from __future__ import annotations

from pathlib import Path

from dataops.envs.registry import EnvironmentRecord
from dataops.infra.platform.layout import EnvironmentLayout
from dataops.infra.process.warm_copies import complete_copies, start_refill


def keep_warm(record: EnvironmentRecord, count: int) -> bool:
    """Has copies of what a replica was made of be made in the background, unless there are so many; whether it does.

    Args:
        record: of the replica, as it is now.
        count: how many; 0 for none, which is the default: each takes as much room as the data.
    """
    from dataops.snapshots.golden import golden_place

    if not count or record.role != "replica" or record.facts.get("warehouse", {}).get("cloned") not in ("copy", "warm"):
        return False
    golden = golden_place(record.snapshot, EnvironmentLayout(Path(record.root)).golden)
    if not golden.is_dir() or len(complete_copies(golden)) >= count:
        return False
    start_refill(golden, count)
    return True
