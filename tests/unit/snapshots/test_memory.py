"""What a worker remembers while it masks is bounded, however many values there are."""

from __future__ import annotations

import threading
import tracemalloc
from contextlib import suppress
from dataclasses import replace

import psutil
import pyarrow.compute as pc
import pytest

from dataops.infra.platform.masking_rules import Hash
from dataops.snapshots.columns import ColumnMasking
from dataops.snapshots.masking.base import Family, Masker, VectorMasker
from dataops.snapshots.masking.choose import masker_for
from dataops.snapshots.masking.texts import Texts, strings
from dataops.snapshots.memory import Memory, Shares
from dataops.snapshots.plans import MaskedField
from support.small_production import Production
from support.warehouses import PEOPLE, warehouse


@pytest.mark.parametrize(("shares", "bounded"), [(64, True), (1, False)])
def test_what_masking_remembers_is_divided_among_workers_and_columns(shares: int, bounded: bool) -> None:
    masker = masker_for(Hash(rule="hash"), Family.TEXT, bytes(32))
    assert masker is not None
    column = ColumnMasking(MaskedField(0, "raw.a.x", "hash", Family.TEXT, masker), Memory(shares=Shares(shares)))
    column.apply(strings(["warm"]))
    tracemalloc.start()
    try:
        for start in range(0, 60_000, 2_000):
            column.apply(strings(f"value {number}" for number in range(start, start + 2_000)))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (held < 6 << 20) == bounded


class Counting(VectorMasker):
    """Masks soon, and knows how many values it was asked for."""

    remembered = True
    asked = 0

    def masks(self, values: Texts) -> Texts:
        self.asked += len(values)
        return pc.utf8_reverse(values)


class CountingEach(Masker):
    """Masks slowly, and knows how many values it was asked for."""

    asked = 0

    def mask(self, value: str) -> str:
        self.asked += 1
        return value[::-1]


def mask_again(masker: Counting | CountingEach, memory: Memory, *values: range) -> int:
    """How many masks are made for columns of some values, one after the other."""
    before = masker.asked
    for some in values:
        column = ColumnMasking(MaskedField(0, f"raw.a.x{some.start}", "count", Family.TEXT, masker), memory)
        texts = [f"value {number}" for number in some]
        assert column.apply(strings(texts)).to_pylist() == [text[::-1] for text in texts]
    return masker.asked - before


@pytest.mark.parametrize("kind", [Counting, CountingEach])
def test_a_value_that_comes_again_in_a_later_range_is_looked_up(kind: type[Counting | CountingEach]) -> None:
    masker, memory = kind(), Memory(shares=Shares(64))
    first, later = range(2_000), range(500, 2_500)
    assert mask_again(masker, memory, first, later, first) == 2_500


def test_masks_that_are_soon_made_are_not_remembered_of_a_column_whose_values_do_not_come_again() -> None:
    masker, memory = Counting(), Memory(shares=Shares(64))
    different = ColumnMasking(MaskedField(0, "raw.a.different", "count", Family.TEXT, masker), memory)
    for start in range(0, 12_000, 2_000):
        different.apply(strings(f"other {number}" for number in range(start, start + 2_000)))
    before = masker.asked
    for _ in range(2):
        different.apply(strings(f"other {number}" for number in range(2_000)))
    assert masker.asked - before == 4_000
    again = range(2_000)
    assert mask_again(masker, memory, again, again) == 2_000  # in another column they are


def test_masks_that_take_long_are_remembered_whether_values_came_again_before_or_not() -> None:
    masker, memory = CountingEach(), Memory(shares=Shares(64))
    mask_again(masker, memory, *(range(start, start + 2_000) for start in range(0, 12_000, 2_000)))
    assert mask_again(masker, memory, range(20_000, 22_000), range(20_000, 22_000)) == 2_000


def test_what_is_remembered_is_divided_among_the_rules_whose_masks_are() -> None:
    rules: dict[str, Masker] = {"slow": CountingEach(), "soon": Counting(), "at once": VectorMasker()}
    one, *others = (MaskedField(0, f"raw.a.{name}", name, Family.TEXT, masker) for name, masker in rules.items())
    beside = replace(one, label="raw.a.beside", beside=(1,))
    assert Shares.of(8, [[one, *others], [one]]) == Shares(16, 24)
    assert Shares.of(8, [[one, beside]]) == Shares(16, 16)
    assert Shares.of(2, [[one, *others]]) == Shares(2, 3)
    assert Shares.of(1, [[]]) == Shares(1, 1)


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
