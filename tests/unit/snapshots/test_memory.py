"""What a worker remembers while it masks is bounded, however many values there are."""

from __future__ import annotations

import tracemalloc

import pytest

from dataops.infra.platform.masking_rules import Hash
from dataops.snapshots.columns import ColumnMasking, Memory
from dataops.snapshots.masking.base import Family
from dataops.snapshots.masking.choose import masker_for
from dataops.snapshots.policy import MaskedField


@pytest.mark.parametrize(("shares", "bounded"), [(64, True), (1, False)])
def test_what_masking_remembers_is_divided_among_workers_and_columns(shares: int, bounded: bool) -> None:
    masker = masker_for(Hash(rule="hash"), Family.TEXT, bytes(32))
    assert masker is not None
    column = ColumnMasking(MaskedField(0, "raw.a.x", "hash", Family.TEXT, masker), Memory(shares=shares))
    column.apply(["warm"])
    tracemalloc.start()
    try:
        for start in range(0, 60_000, 2_000):
            column.apply([f"value {number}" for number in range(start, start + 2_000)])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (held < 6 << 20) == bounded
