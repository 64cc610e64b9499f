"""What a worker remembers while it masks is bounded, however many values there are."""

from __future__ import annotations

import threading
import tracemalloc
from contextlib import suppress

import psutil
import pytest

from dataops.infra.platform.masking_rules import Hash
from dataops.snapshots.columns import ColumnMasking, Memory
from dataops.snapshots.masking.base import Family
from dataops.snapshots.masking.choose import masker_for
from dataops.snapshots.plans import MaskedField
from support.small_production import Production
from support.warehouses import PEOPLE, warehouse


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


@pytest.mark.slow
def test_eight_workers_on_columns_of_unique_values_keep_within_512_mib(production: Production) -> None:
    columns = {"keep": ["id", "age", "changed"], "name": "name", "mail": "email", "note": "hash"}
    rules, home = {"tables": {"public.people": columns}}, production.layout.home
    with warehouse(production.connection, home, "wide", PEOPLE.format(rows=150_000), rules) as made:
        before, over, most = held(), threading.Event(), [0]

        def watch() -> None:
            while not over.wait(0.02):
                most[0] = max(most[0], held())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            made.capture(jobs=8)
        finally:
            over.set()
            watcher.join()
    print(f"eight workers took {(most[0] - before) >> 20} MiB")
    assert most[0] - before < 512 << 20


def held() -> int:
    """Bytes of this process, its workers and what they run, without the server; what is shared counts once."""
    total = 0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.Error):
            total += 0 if process.name() == "postgres" else process.memory_full_info().pss
    return total
