"""Compares the figures of a branch's marts with production's, by the tolerances of `dataops.yaml`."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dataops.envs.verification.figures import ColumnFigures, TableFigures
from dataops.envs.verification.verdict import Check, Result
from dataops.infra.platform.verification import Verification


def compare_mart(
    table: str, expected: TableFigures | None, seen: TableFigures | None, allowed: Verification
) -> Iterator[Check]:
    """The checks of one table of a data product.

    Args:
        table: `schema.table`.
        expected: what production has, None for a table that it does not have.
        seen: what the branch made, None when it made none.
        allowed: how far one may be from the other.
    """
    group = f"mart {table}"
    if seen is None:
        there = f"{expected.rows} rows" if expected else "a table"
        yield Check(group, "exists", Result.FAILED, there, "no such table")
        return
    if expected is None:
        yield Check.of(group, "rows", seen.rows > 0, "some, as production has no such table", f"{seen.rows} rows")
        return
    rows = allowed.rows(table)
    yield Check.of(
        group,
        "rows",
        abs(seen.rows - expected.rows) <= rows * expected.rows,
        f"{expected.rows}{_within(rows)}",
        f"{seen.rows}{_change(expected.rows, seen.rows)}",
    )
    yield from _schema(group, expected, seen, allowed.changes(table))
    far = list(_statistics(group, table, expected, seen, allowed))
    common = [name for name in expected.columns if name in seen.columns]
    yield from far or [Check(group, "statistics", Result.PASSED, f"of {len(common)} columns", "as in production")]


def _schema(group: str, expected: TableFigures, seen: TableFigures, changes: str) -> Iterator[Check]:
    """A check for each column that is gone, new or of another type; one for all when none is."""
    found = []
    for name in {**expected.columns, **seen.columns}:
        one, other = expected.columns.get(name), seen.columns.get(name)
        if one is not None and other is not None and one.type == other.type:
            continue
        good = changes == "any" or (changes == "additive" and one is None)
        found.append(
            Check.of(
                group,
                f"column {name}",
                good,
                one.type if one else "no such column",
                other.type if other else "it is gone",
            )
        )
    yield from found or [Check(group, "schema", Result.PASSED, f"{len(expected.columns)} columns", "the same")]


def _statistics(
    group: str, table: str, expected: TableFigures, seen: TableFigures, allowed: Verification
) -> Iterator[Check]:
    """The figures that are too far away."""
    for column, one in expected.columns.items():
        other = seen.columns.get(column)
        if other is None or not expected.rows:
            continue
        for figure, gap in _gaps(one, other).items():
            share = allowed.figure(table, column, figure)
            if gap > share:
                told = _told(one, figure), _told(other, figure)
                yield Check(group, f"column {column}: {figure}", Result.FAILED, f"{told[0]}{_within(share)}", told[1])


def _gaps(one: ColumnFigures, other: ColumnFigures) -> dict[str, float]:
    """How far the figures of two columns are apart, as tolerances measure it."""
    gaps = {"nulls": abs(one.nulls - other.nulls), "distinct": _relative(one.distinct, other.distinct, one.distinct)}
    if one.mean is not None and other.mean is not None:
        gaps["mean"] = _relative(one.mean, other.mean, max(abs(one.mean), one.spread or 0.0))
    if one.spread is not None and other.spread is not None:
        # the spread of what hardly varies is noise beside the values themselves
        gaps["spread"] = _relative(one.spread, other.spread, max(one.spread, abs(one.mean or 0.0) * 1e-9))
    return gaps


def _relative(one: float, other: float, measure: float) -> float:
    if one == other or (math.isnan(one) and math.isnan(other)):
        return 0.0
    gap = abs(one - other) / measure if measure else math.inf
    return math.inf if math.isnan(gap) else gap


def _told(column: ColumnFigures, figure: str) -> str:
    value = getattr(column, figure)
    return f"{value:.2%}" if figure == "nulls" else f"{value:.6g}" if isinstance(value, float) else str(value)


def _within(share: float) -> str:
    return f" ± {share:.3g}" if not share else f" ± {share * 100:.3g} %"


def _change(expected: int, seen: int) -> str:
    if not expected or seen == expected:
        return ""
    return f" ({(seen - expected) / expected:+.1%})"
