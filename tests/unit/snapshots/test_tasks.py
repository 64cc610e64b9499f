"""The work of a capture is divided so that the workers end together."""

from __future__ import annotations

from dataops.snapshots.catalogue import SourceTable
from dataops.snapshots.contents import Contents
from dataops.snapshots.lake import Identity, ObjectPlan
from dataops.snapshots.masking.base import Family
from dataops.snapshots.masking.plain import NullMasker
from dataops.snapshots.plans import MaskedField, TablePlan
from dataops.snapshots.tasks import group_tasks

MB = 1 << 20


def masked(label: str) -> tuple[MaskedField, ...]:
    return (MaskedField(0, f"{label}.mail", "null", Family.TEXT, NullMasker()),)


def table(name: str, megabytes: int, fields: tuple[MaskedField, ...] = ()) -> TablePlan:
    pages = megabytes * MB // 8192
    return TablePlan(SourceTable(1, "raw", name, f"raw.{name}", megabytes * MB, 1, (), pages), ("mail",), fields)


def test_the_most_work_comes_first_and_an_object_goes_with_the_table_of_its_rules() -> None:
    tables = [table("large", 32), table("small", 1), table("people", 7, masked("raw.people"))]
    lake = ObjectPlan("people.parquet", Identity(1, 1, 2 * MB, 1), True, masked("lake:people.parquet"), False)
    groups = group_tasks(tables, [lake], Contents({}), 4 * MB, 180000)
    assert [task.label for task in groups[0]] == ["raw.people", "lake:people.parquet"]
    assert [[task.label for task in group] for group in groups[1:]] == [["raw.large"]] * 8 + [["raw.small"]]
    assert [group[0].part.first for group in groups[1:9]] == list(range(0, 4096, 512))
