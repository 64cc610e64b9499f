"""Which rows of a tree fit on a screen, and how wide they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import RenderableType
from rich.text import Text

from dataops.cli.display.model import Row
from dataops.infra.resources.urn import ROOT_STACK_TYPE


class Line(NamedTuple):
    """One row as it is drawn."""

    mark: RenderableType
    kind: Text
    name: Text
    verb: Text
    took: Text
    diff: Text


def tree_order(rows: list[Row]) -> list[tuple[Row, int]]:
    """Rows with their depth, children after their parent; a child whose parent is not shown hangs where it can."""
    known = {row.metadata.urn for row in rows}
    children: dict[str, list[Row]] = {}
    for row in rows:
        parent = parent_of(row) if parent_of(row) in known else ""
        children.setdefault(parent, []).append(row)
    ordered: list[tuple[Row, int]] = []
    pending = [(row, 0) for row in reversed(children.get("", []))]
    while pending:
        row, depth = pending.pop()
        ordered.append((row, depth))
        pending += [(child, depth + 1) for child in reversed(children.get(row.metadata.urn, []))]
    return ordered


def fit(rows: list[tuple[Row, int]], room: int) -> tuple[list[tuple[Row, int]], int]:
    """At most `room` rows and how many were left out.

    The stack itself stays, then what failed, what is being worked on and what was finished last, each below its
    components where there is room for them; a component alone, which runs as long as its children, comes last.
    """
    if len(rows) <= room:
        return rows, 0
    place = {row.metadata.urn: index for index, (row, _) in enumerate(rows)}
    kept: set[int] = set()
    for index in sorted(range(len(rows)), key=lambda index: _urgency(rows[index][0])):
        needed, urn = [index], parent_of(rows[index][0])
        while urn in place and place[urn] not in kept:
            needed.append(place[urn])
            urn = parent_of(rows[place[urn]][0])
        kept.update(needed if len(kept) + len(needed) <= room else [index])
        if len(kept) >= room:
            break
    return [rows[index] for index in sorted(kept)], len(rows) - len(kept)


def _urgency(row: Row) -> tuple[int, float]:
    if row.metadata.type == ROOT_STACK_TYPE:
        return 0, 0
    if row.state == "failed":
        return 1, 0
    if row.state == "running":
        return (2, row.started) if is_custom(row) else (4, row.started)
    return 3, -(row.ended or 0)


def narrowed(lines: Sequence[Line], width: int) -> list[Line]:
    """Lines that fit into a width: types give way first, then names, in their middle, since they differ at the end."""
    if not lines:
        return []
    kinds, names = max(line.kind.cell_len for line in lines), max(line.name.cell_len for line in lines)
    verbs, times = max(line.verb.cell_len for line in lines), max(line.took.cell_len for line in lines)
    room = max(width - verbs - times - 8, 16)
    name_room = min(names, max(room - kinds, room * 3 // 5))
    kind_room = min(kinds, room - name_room)
    rest = room - name_room - kind_room
    return [
        line._replace(
            kind=_shortened(line.kind, kind_room),
            name=_shortened(line.name, name_room),
            diff=_shortened(line.diff, rest),
        )
        for line in lines
    ]


def _shortened(text: Text, width: int) -> Text:
    """A text without its middle where it is too long."""
    if text.cell_len <= width:
        return text
    if width < 4:
        return Text("")
    tail = set_cell_size(text.plain[::-1], width // 2)[::-1].lstrip()
    return Text(f"{set_cell_size(text.plain, width - 1 - cell_len(tail))}…{tail}", style=text.style)


def parent_of(row: Row) -> str:
    """The URN of the parent, "" for none."""
    state = row.metadata.new or row.metadata.old
    return state.parent if state else ""


def is_custom(row: Row) -> bool:
    """Whether a provider works on it, rather than on what it consists of."""
    state = row.metadata.new or row.metadata.old
    return state is None or state.custom
