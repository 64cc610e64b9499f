"""What a capture divides its work into: one range of a table, or one object of the lake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dataops.snapshots.chunks import ChunkRef
from dataops.snapshots.contents import Contents
from dataops.snapshots.lake import ObjectPlan
from dataops.snapshots.manifest import object_label, table_label
from dataops.snapshots.plans import TablePlan
from dataops.snapshots.ranges import WHOLE, Range, ranges_of

MASKING, PACKED = 4, 3
"""How many times more work a masked column makes, and what is compressed by others."""


@dataclass(frozen=True, slots=True)
class Task:
    """A range of a table or an object, with the chunks that it had in the snapshot before.

    Args:
        plan: the table or the object.
        part: which rows of the table.
        before: the chunks.
        bytes: about how much there is to be read.
        proof: of the rows that an earlier capture had put into the store before it ended.
    """

    plan: TablePlan | ObjectPlan
    part: Range = WHOLE
    before: tuple[ChunkRef, ...] = field(default=(), repr=False)
    bytes: int = 0
    proof: str | None = None

    @property
    def label(self) -> str:
        """In words."""
        return self.plan.table.label if isinstance(self.plan, TablePlan) else self.plan.label

    @property
    def index_label(self) -> str:
        """The label, in the index of a snapshot, of the data that it is part of."""
        plan = self.plan
        return table_label(plan.table.label) if isinstance(plan, TablePlan) else object_label(plan.path)


def group_tasks(
    tables: Sequence[TablePlan],
    objects: Sequence[ObjectPlan],
    before: Contents,
    range_bytes: int,
    server_version: int,
) -> list[list[Task]]:
    """Tasks that one worker should perform in turn, the most work first, so that none is left alone at the end.

    An object goes with the table whose columns have the same rules: it is likely to hold the same values, whose masks
    are known by then.

    Args:
        before: of the newest snapshot.
        range_bytes: how much of a table one task should be.
        server_version: as `server_version_num`.
    """
    groups: list[list[Task]] = []
    homes: dict[frozenset[str], list[Task]] = {}
    for plan in tables:
        label, chosen = table_label(plan.table.label), plan.selection is not None
        ranges = (WHOLE,) if chosen else ranges_of(plan.table, range_bytes, server_version)
        parts = [
            [Task(plan, part, before.within(label, part.first, part.end), plan.table.bytes // len(ranges))]
            for part in ranges
        ]
        groups += parts
        homes.setdefault(_rules(plan), parts[0])
    for one in objects:
        task = Task(one, WHOLE, before.within(object_label(one.path)), one.identity.size)
        rules = _rules(one)
        if rules and rules in homes:
            homes[rules].append(task)
        else:
            groups.append([task])
    return sorted(groups, key=lambda group: -sum(map(_work, group)))


def _work(task: Task) -> int:
    """About how much work a task is, as bytes that are only read."""
    packed = 1 if isinstance(task.plan, TablePlan) else PACKED
    return task.bytes * packed * (1 + MASKING * len(task.plan.masked))


def _rules(plan: TablePlan | ObjectPlan) -> frozenset[str]:
    return frozenset(f"{field.label.rpartition('.')[2]} {field.rule}" for field in plan.masked)
