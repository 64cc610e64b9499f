"""Fingerprints of an environment's data: one SHA-256 per table and object, to show what changed and what did not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import ResourceError
from dataops.infra.platform.lake_objects import objects_of

if TYPE_CHECKING:
    import psycopg

TABLES = """
    SELECT n.nspname, c.relname,
           coalesce((SELECT array_agg(a.attname ORDER BY array_position(i.indkey::int2[], a.attnum))
                     FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
                     WHERE i.indrelid = c.oid AND i.indisprimary), '{}')::text[]
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One table or object; `count` is its rows or its bytes."""

    sha256: str
    count: int


@dataclass(frozen=True, slots=True)
class DataFingerprint:
    """All data of an environment, tables as `schema.table`, objects by their path in the lake."""

    tables: Mapping[str, Fingerprint]
    objects: Mapping[str, Fingerprint]

    def to_json(self) -> dict[str, Any]:
        """The fingerprints as `-o json` prints them."""
        return {
            "tables": {name: {"sha256": f.sha256, "rows": f.count} for name, f in self.tables.items()},
            "objects": {name: {"sha256": f.sha256, "bytes": f.count} for name, f in self.objects.items()},
        }


def fingerprint(variables: Mapping[str, str], lake: Path | None = None) -> DataFingerprint:
    """Reads all data of an environment once, the warehouse in one transaction.

    Args:
        variables: the environment's own, of which `WAREHOUSE_URL` is used.
        lake: the folder of its lake; None to leave it out.

    Raises:
        ResourceError: the warehouse does not answer.
    """
    import psycopg

    try:
        with psycopg.connect(variables["WAREHOUSE_URL"], connect_timeout=10) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            tables = fingerprint_tables(connection)
    except psycopg.OperationalError as error:
        raise ResourceError(
            "the warehouse does not answer",
            where=variables.get("DATAOPS_ENVIRONMENT"),
            hint="start the environment with `dataops env up` or `dataops env deploy`",
            details=str(error).strip(),
        ) from None
    return DataFingerprint(tables, fingerprint_objects(lake) if lake else {})


def fingerprint_tables(connection: psycopg.Connection[Any]) -> dict[str, Fingerprint]:
    """The SHA-256 of `COPY (… ORDER BY key)` of each table; without a key, all columns are the key."""
    from psycopg import sql

    found: dict[str, Fingerprint] = {}
    with connection.transaction(), connection.cursor() as cursor:
        # What values look like as text must not depend on the server's settings.
        cursor.execute("SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex'")
        for schema, table, key in cursor.execute(TABLES).fetchall():
            name = sql.Identifier(schema, table)
            order = sql.SQL(", ").join(sql.Identifier(column) for column in key) if key else sql.SQL("t::text")
            copy = sql.SQL("COPY (SELECT * FROM {} AS t ORDER BY {}) TO STDOUT").format(name, order)
            digest, rows = hashlib.sha256(), 0
            with cursor.copy(copy) as stream:
                for block in stream:
                    digest.update(block)
                    rows += bytes(block).count(b"\n")
            found[f"{schema}.{table}"] = Fingerprint(digest.hexdigest(), rows)
    return found


def fingerprint_objects(lake: Path) -> dict[str, Fingerprint]:
    """The SHA-256 of each object of a lake directory."""
    found: dict[str, Fingerprint] = {}
    for path in objects_of(lake):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
        found[path.relative_to(lake).as_posix()] = Fingerprint(digest.hexdigest(), path.stat().st_size)
    return found
