"""The rows that a rule names by itself, asked of Postgres."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataops.infra.errors import ConfigurationError, PolicyError, ResourceError
from dataops.snapshots.subsets.rules import SubsetRule

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

    from dataops.snapshots.catalogue import Connection

# the function that hash partitions are made with: it must give the same numbers in every version and on a standby
_HASH = 'pg_catalog.hashtextextended(ROW({})::text COLLATE pg_catalog."C", 0) & 9223372036854775807'
_KEY = """
SELECT a.attname FROM pg_attribute a
LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
  AND (i.indexrelid IS NULL OR a.attnum = ANY (i.indkey))
ORDER BY a.attname"""
_OTHERS = ("08", "53", "55", "57", "58")
"""Classes of SQLSTATE that say nothing of the predicate: connection, resources, locks, operators, system."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, or a partitioned one: `leaves` are the tables that hold its rows."""

    label: str
    leaves: tuple[int, ...]
    partitioned: bool


Read = Callable[["Connection", "sql.Composed"], "dict[int, array[int]]"]


def query_of(rule: SubsetRule, relation: Relation, connection: Connection) -> sql.Composed | None:
    """What asks for the rows of a rule; None for a rule that names none by itself."""
    from psycopg import sql

    name = sql.Identifier(*relation.label.split(".", 1))
    # rows of tables that merely inherit belong to rules of their own
    source = name if relation.partitioned else sql.SQL("ONLY {}").format(name)
    query = sql.SQL("SELECT tableoid, ctid FROM {}").format(source)
    if rule.kind == "predicate":
        # the line break ends a comment
        return query + sql.SQL(" WHERE ({}\n)").format(sql.SQL(rule.value))
    if rule.kind not in ("percent", "count"):
        return None
    columns = [row[0] for row in connection.execute(_KEY, (name.as_string(connection),))]
    key = sql.SQL(", ").join(map(sql.Identifier, columns))
    by = sql.SQL(_HASH).format(key)
    if rule.kind == "percent":
        return query + sql.SQL(" WHERE ({}) <= {}").format(by, sql.Literal(int(rule.part * (2**63 - 1))))
    order = sql.SQL(' ORDER BY {}, ROW({})::text COLLATE pg_catalog."C" LIMIT {}')
    return query + order.format(by, key, sql.Literal(int(rule.value)))


def run(
    connection: Connection, rule: SubsetRule, relation: Relation, query: sql.Composed, read: Read
) -> dict[int, array[int]]:
    """Asks for the rows of a rule. A predicate is looked at by the planner first, which touches no row.

    Names in a predicate are looked for in the schema of the table, then in `public`.

    Raises:
        ConfigurationError: Postgres does not understand the predicate.
        PolicyError: it writes.
        ResourceError: it fails on a row; says how, but not what Postgres said, which could quote the row.
    """
    import psycopg
    from psycopg import sql

    if rule.kind != "predicate":
        return read(connection, query)
    try:
        with connection.transaction():
            path = sql.SQL(", ").join([sql.Identifier(relation.label.partition(".")[0]), sql.Identifier("public")])
            connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(path))
            # prepared, so that it is one statement: a text that ends it and begins another is refused here
            connection.execute(sql.SQL("EXPLAIN {}").format(query), prepare=True)
    except psycopg.Error as error:
        _reraise(error, rule)
        said = error.diag.message_primary or type(error).__name__
        raise ConfigurationError(
            f"Postgres does not understand the predicate: {said} ({error.sqlstate})",
            where=rule.where,
            hint=error.diag.message_hint,
        ) from None
    try:
        with connection.transaction():
            connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(path))
            return read(connection, query)
    except psycopg.Error as error:
        _reraise(error, rule)
        raise ResourceError(
            f"the predicate fails on a row of {relation.label}: {type(error).__name__} ({error.sqlstate})",
            where=rule.where,
            hint="what Postgres said could quote the row, so it is not shown",
        ) from None


def _reraise(error: psycopg.Error, rule: SubsetRule) -> None:
    import psycopg

    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        raise PolicyError(
            "the predicate writes; whoever captures only reads", where=rule.where, hint="write one that only reads"
        ) from None
    if error.sqlstate is None or error.sqlstate[:2] in _OTHERS:
        raise error
