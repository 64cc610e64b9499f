"""The figures of a table: rows, columns with their types, and what can be told of each column without a value of it.

Of every column the share of rows without a value and the number of different values; of numbers also mean and standard
deviation, unless masking changes the column: what is masked is somebody's, and its mean says nothing anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import ResourceError

if TYPE_CHECKING:
    import psycopg

NUMBERS = ("int2", "int4", "int8", "float4", "float8", "numeric")
SECONDS = 600
"""Seconds that one table may take."""

_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END, t.typname
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


@dataclass(frozen=True, slots=True)
class ColumnFigures:
    """What is told of one column.

    Args:
        type: as Postgres writes it, with `not null`.
        nulls: the share of rows without a value.
        distinct: the number of different values.
        mean, spread: of numbers that nothing masks; None elsewhere, and where there is no value.
    """

    type: str
    nulls: float
    distinct: int
    mean: float | None = None
    spread: float | None = None


@dataclass(frozen=True, slots=True)
class TableFigures:
    """What is told of one table; columns in their order."""

    rows: int
    columns: Mapping[str, ColumnFigures] = field(default_factory=dict)


def read_figures(
    connection: Mapping[str, Any], database: str, tables: Sequence[str], masked: Mapping[str, Collection[str]]
) -> dict[str, TableFigures]:
    """The figures of tables, read as Postgres' own `pg_read_all_data` and read-only; those that are not there are not.

    Args:
        connection: how the superuser connects.
        database: the database.
        tables: `schema.table`.
        masked: for each table, the columns that masking changes.

    Raises:
        ResourceError: the server does not answer.
        DeadlineError: a table is too large.
    """
    from dataops.infra.process.postgres_connection import connect, postgres_errors

    with connect(connection, database) as session, postgres_errors("taking the figures of marts"):
        session.execute("SET default_transaction_read_only = on")
        session.execute(f"SET statement_timeout = '{SECONDS}s'")
        session.execute("SET ROLE pg_read_all_data")
        found = {table: _figures(session, table, masked.get(table, ())) for table in tables}
    return {table: figures for table, figures in found.items() if figures is not None}


def _figures(session: psycopg.Connection[tuple[Any, ...]], table: str, masked: Collection[str]) -> TableFigures | None:
    from psycopg import sql

    schema, _, name = table.partition(".")
    place = sql.Identifier(schema, name)
    columns = session.execute(_COLUMNS, (place.as_string(session),)).fetchall()
    if not columns:
        return None
    parts: list[sql.Composable] = [sql.SQL("count(*)")]
    for column, _, kind in columns:
        told = {"c": sql.Identifier(column)}
        parts += [sql.SQL("count({c})").format(**told), sql.SQL("count(DISTINCT {c}::text)").format(**told)]
        if kind in NUMBERS and column not in masked:
            parts += [sql.SQL("avg({c})::float8, stddev_pop({c}::float8)").format(**told)]
        else:
            parts += [sql.SQL("NULL::float8, NULL::float8")]
    row = session.execute(sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(parts), place)).fetchone()
    if row is None:
        raise ResourceError(f"the table {table} cannot be counted")
    rows, figures = int(row[0]), iter(row[1:])
    return TableFigures(
        rows,
        {
            column: ColumnFigures(kind, (rows - filled) / rows if rows else 0.0, distinct, mean, spread)
            for (column, kind, _), (filled, distinct, mean, spread) in zip(
                columns, zip(figures, figures, figures, figures, strict=True), strict=True
            )
        },
    )
