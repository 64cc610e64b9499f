"""What a warehouse holds, for comparisons: tables with columns and counts, roles and grants.

It is read as the superuser connects, but as Postgres' own role `pg_read_all_data` and in
read-only transactions: nothing that is asked here can change anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import ResourceError

if TYPE_CHECKING:
    import psycopg

EXACT = 200_000
"""Rows up to which a table is counted; of larger ones Postgres' own estimate is told."""

SECONDS = 10
"""Seconds that one question may take."""

_TABLES = """
SELECT n.nspname || '.' || c.relname, c.oid::bigint, c.reltuples::bigint,
       array(SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
             || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
             FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1"""
_KINDS = "SELECT oid::bigint FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND NOT relispartition"
_ROLES = """
SELECT r.rolname, CASE WHEN r.rolcanlogin THEN 'login' ELSE 'no login' END
       || coalesce(' in ' || (SELECT string_agg(g.rolname, ', ' ORDER BY g.rolname) FROM pg_auth_members m
                              JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), '')
FROM pg_roles r WHERE r.rolname !~ '^pg_' AND r.rolname <> 'postgres'"""
_GRANTS = """
SELECT coalesce(r.rolname, 'public') || ' on ' || n.nspname || '.' || c.relname,
       string_agg(DISTINCT lower(a.privilege_type), ', ' ORDER BY lower(a.privilege_type))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND a.grantee <> c.relowner
GROUP BY 1"""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table or view: its columns as `name type`, its rows, and whether these are an estimate; views have no rows."""

    columns: tuple[str, ...]
    rows: int | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class WarehouseFacts:
    """What is in a warehouse: tables by `schema.table`, roles, and grants as `role on table` to privileges."""

    tables: Mapping[str, TableFacts] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    grants: Mapping[str, str] = field(default_factory=dict)


def warehouse_facts(record: EnvironmentRecord, exact: int = EXACT) -> WarehouseFacts:
    """Reads what an environment's warehouse holds.

    Args:
        record: the environment.
        exact: rows up to which tables are counted.

    Raises:
        ResourceError: the warehouse does not answer.
    """
    from dataops.infra.process.postgres_connection import connect, postgres_errors
    from dataops.infra.process.postgres_status import status

    warehouse = record.facts.get("warehouse") or {}
    running = status(Path(str(warehouse.get("dataDirectory", "")))) if warehouse.get("dataDirectory") else None
    if running is None or not running.ready:
        raise ResourceError("the warehouse does not answer", where=f"environment {record.name}")
    with (
        connect(running.connection, str(warehouse.get("database") or "postgres")) as session,
        postgres_errors(f"reading the warehouse of {record.name}"),
    ):
        session.execute("SET default_transaction_read_only = on")
        session.execute(f"SET statement_timeout = '{SECONDS}s'")
        session.execute("SET ROLE pg_read_all_data")
        countable = {row[0] for row in session.execute(_KINDS)}
        tables = {
            name: _table(session, name, tuple(columns), estimate, exact if oid in countable else None)
            for name, oid, estimate, columns in session.execute(_TABLES).fetchall()
        }
        return WarehouseFacts(
            tables, dict(session.execute(_ROLES).fetchall()), dict(session.execute(_GRANTS).fetchall())
        )


def _table(
    session: psycopg.Connection[tuple[Any, ...]], name: str, columns: tuple[str, ...], estimate: int, exact: int | None
) -> TableFacts:
    """A table with its rows: counted, unless there are too many; not at all when `exact` is None."""
    if exact is None:
        return TableFacts(columns)
    if estimate > exact:
        return TableFacts(columns, estimate, True)
    from psycopg import sql

    schema, _, table = name.partition(".")
    counting = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS found").format(
        sql.Identifier(schema, table), sql.Literal(exact + 1)
    )
    row = session.execute(counting).fetchone()
    rows = int(row[0]) if row else 0
    return TableFacts(columns, rows) if rows <= exact else TableFacts(columns, max(rows, estimate), True)
