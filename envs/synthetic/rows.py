"""Made-up rows of many tables that fit together: keys are unique, references lead to rows that are there."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from dataops.envs.synthetic.shapes import Reference, TableShape
from dataops.envs.synthetic.values import ValueMaker
from dataops.infra.platform.masking import Masking
from dataops.infra.platform.verification import SyntheticColumn, SyntheticData

ATTEMPTS = 20
"""How often a row is drawn again that would be the second of its key; then there is one row less."""

Row = dict[str, Any]


def make_rows(
    shapes: Mapping[str, TableShape], told: SyntheticData, policy: Masking, seed: int
) -> dict[str, list[Row]]:
    """Rows for tables, the same for the same seed; each column is drawn by itself, so that what is added or removed
    elsewhere changes none of its values.

    Args:
        shapes: the tables.
        told: how many rows, and what is said of columns.
        policy: the masking rules, which tell what columns are about.
        seed: what all is drawn from.

    Raises:
        ConfigurationError: nothing is known of a type.
    """
    made: dict[str, list[Row]] = {}
    for name in _order(shapes):
        made[name] = _table(shapes[name], made, told, policy, seed)
    return made


def _order(shapes: Mapping[str, TableShape]) -> list[str]:
    """The tables, each after those that it refers to; where they go in circles, by name."""
    before = {name: {r.table for r in shape.references if r.table != name} for name, shape in sorted(shapes.items())}
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError:
        return sorted(shapes)


def _table(
    shape: TableShape, made: Mapping[str, Sequence[Row]], told: SyntheticData, policy: Masking, seed: int
) -> list[Row]:
    rules = policy.table_rules(shape.name) or {}
    columns = told.columns.get(shape.name, {})
    alone = {key[0] for key in shape.unique if len(key) == 1}
    makers = {
        column.name: ValueMaker(
            shape.name,
            column,
            rules[column.name].rule if column.name in rules else "",
            column.name in alone,
            columns.get(column.name, SyntheticColumn()),
        )
        for column in shape.columns
    }
    draws = {name: random.Random(f"{seed}/{shape.name}/{name}") for name in makers}
    chooser = random.Random(f"{seed}/{shape.name}")
    rows: list[Row] = []
    taken: dict[tuple[str, ...], set[tuple[Any, ...]]] = {key: set() for key in shape.unique}
    for number in range(told.tables.get(shape.name, told.rows)):
        for _ in range(ATTEMPTS):
            row = {name: maker.make(draws[name], number) for name, maker in makers.items()}
            for reference in shape.references:
                _refer(row, reference, made.get(reference.table, rows), chooser, shape)
            keys = {key: tuple(row[name] for name in key) for key in shape.unique}
            if not any(None not in value and value in taken[key] for key, value in keys.items()):
                rows.append(row)
                for key, value in keys.items():
                    taken[key].add(value)
                break
    return rows


def _refer(row: Row, reference: Reference, there: Sequence[Row], draw: random.Random, shape: TableShape) -> None:
    """Has a row refer to one that is there; to none where there is none, or where it need not."""
    required = {column.name for column in shape.columns if column.required}
    if not required & {*reference.columns} and (not there or any(row[name] is None for name in reference.columns)):
        row.update(dict.fromkeys(reference.columns))
    elif there:
        other = draw.choice(there)
        row.update({own: other[to] for own, to in zip(reference.columns, reference.to, strict=True)})
