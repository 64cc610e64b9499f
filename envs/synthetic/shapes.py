"""What rows must look like: the tables of a database as its catalogue has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_COLUMNS = """
SELECT n.nspname || '.' || c.relname, a.attname, b.typname, a.atttypmod, a.attnotnull OR t.typnotnull,
  CASE WHEN b.typtype = 'e' THEN
    array(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = b.oid ORDER BY enumsortorder) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY(%s) ORDER BY 1, a.attnum"""
_KEYS = """
SELECT n.nspname || '.' || c.relname, k.contype = 'f', coalesce(fn.nspname || '.' || f.relname, ''),
  array(SELECT attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(num, at)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY at),
  array(SELECT attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(num, at)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY at)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE k.contype IN ('p', 'u', 'f') AND NOT c.relispartition AND n.nspname = ANY(%s) ORDER BY k.conname"""


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """One column: its base type as `int4`, how long a text may be, whether it needs a value, labels of an enum."""

    name: str
    type: str
    length: int | None = None
    required: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: these columns hold what those columns of a row of another table hold."""

    columns: tuple[str, ...]
    table: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableShape:
    """One table: columns, which of them together are unique, and what they refer to."""

    name: str
    columns: tuple[ColumnShape, ...]
    unique: tuple[tuple[str, ...], ...] = ()
    references: tuple[Reference, ...] = ()


def read_shapes(session: psycopg.Connection[tuple[Any, ...]], schemas: Iterable[str]) -> dict[str, TableShape]:
    """The tables of some schemas, by `schema.table`."""
    wanted = list(schemas)
    columns: dict[str, list[ColumnShape]] = {}
    for table, name, kind, modifier, required, labels in session.execute(_COLUMNS, (wanted,)):
        length = modifier - 4 if kind in ("varchar", "bpchar") and modifier > 4 else None
        columns.setdefault(table, []).append(ColumnShape(name, kind, length, required, tuple(labels or ())))
    unique: dict[str, list[tuple[str, ...]]] = {}
    references: dict[str, list[Reference]] = {}
    for table, foreign, other, own, to in session.execute(_KEYS, (wanted,)):
        if not foreign:
            unique.setdefault(table, []).append(tuple(own))
        elif other in columns:
            references.setdefault(table, []).append(Reference(tuple(own), other, tuple(to)))
    return {
        table: TableShape(table, tuple(found), tuple(unique.get(table, ())), tuple(references.get(table, ())))
        for table, found in columns.items()
    }
