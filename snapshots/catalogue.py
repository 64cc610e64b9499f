"""What a database consists of, read from its catalogue: tables, columns, keys, and what no snapshot can hold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataops.snapshots.masking.base import Family

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

LONGEST_NAME = 63
_OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_NO_EXTENSION = """NOT EXISTS (
  SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')"""

# a standby has no rows of unlogged tables
_READABLE = "CASE WHEN pg_is_in_recovery() THEN ARRAY['p'] ELSE ARRAY['p', 'u'] END::\"char\"[]"
TABLES = f"""
SELECT c.oid, n.nspname, c.relname, rn.nspname, rc.relname, c.relfilenode, coalesce(pg_table_size(c.oid), 0),
  CASE am.amname WHEN 'heap' THEN
    coalesce(pg_relation_size(c.oid, 'main') / current_setting('block_size')::int, 0) ELSE 0 END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am am ON am.oid = c.relam
JOIN pg_class rc ON rc.oid = CASE WHEN c.relispartition THEN pg_partition_root(c.oid) ELSE c.oid END
JOIN pg_namespace rn ON rn.oid = rc.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = ANY({_READABLE}) AND {_OWN} AND {_NO_EXTENSION}
ORDER BY n.nspname, c.relname"""

COLUMNS = """
WITH RECURSIVE base AS (
  SELECT oid AS type, oid AS base, typbasetype AS next, typtypmod AS modifier FROM pg_type
  UNION ALL
  SELECT b.type, t.oid, t.typbasetype, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE b.modifier END
  FROM base b JOIN pg_type t ON t.oid = b.next WHERE b.next <> 0
)
SELECT a.attrelid, a.attnum, a.attname, t.typname, t.typcategory, t.typtype,
       CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE b.modifier END, a.attnotnull, a.attgenerated <> '',
       format_type(a.atttypid, a.atttypmod), e.typname, e.typcategory, e.typtype
FROM pg_attribute a JOIN base b ON b.type = a.atttypid AND b.next = 0 JOIN pg_type t ON t.oid = b.base
LEFT JOIN base eb ON eb.type = t.typelem AND eb.next = 0 AND t.typcategory = 'A'
  AND t.typname NOT IN ('int2vector', 'oidvector')
LEFT JOIN pg_type e ON e.oid = eb.base
WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum"""

# an index on expressions depends on the columns that it uses; one on columns names them itself
UNIQUE_COLUMNS = """
SELECT i.indrelid, k.attnum::int FROM pg_index i
CROSS JOIN LATERAL unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k(attnum)
WHERE (i.indisunique OR i.indisexclusion) AND k.attnum > 0 AND i.indrelid = ANY(%(tables)s)
UNION
SELECT i.indrelid, d.refobjsubid FROM pg_index i
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
  AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0
WHERE (i.indisunique OR i.indisexclusion) AND i.indexprs IS NOT NULL AND i.indrelid = ANY(%(tables)s)"""

PARTITION_COLUMNS = f"""
SELECT n.nspname, c.relname, a.attname FROM pg_partitioned_table p
JOIN pg_class c ON c.oid = p.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid = c.oid AND d.refobjsubid > 0
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE {_OWN}
UNION
SELECT n.nspname, c.relname, a.attname FROM pg_partitioned_table p
JOIN pg_class c ON c.oid = p.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(p.partattrs::int2[]) AS k(attnum)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE {_OWN}"""

FOREIGN_KEYS = f"""
SELECT f.conname, n.nspname, c.relname, rn.nspname, rc.relname,
  ARRAY(SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY k(n, i)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.n ORDER BY k.i),
  ARRAY(SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY k(n, i)
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.n ORDER BY k.i)
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class rc ON rc.oid = f.confrelid JOIN pg_namespace rn ON rn.oid = rc.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0 AND {_OWN}
ORDER BY 2, 3, 1"""

RELATIONS = f"""
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = %s AND c.relpersistence = ANY({_READABLE}) AND {_OWN} AND {_NO_EXTENSION}
  AND (c.relkind <> 'm' OR c.relispopulated) ORDER BY c.oid"""

UNSUPPORTED = """
SELECT 'the encoding ' || pg_encoding_to_char(encoding) || ', in which text need not be valid' FROM pg_database
WHERE datname = current_database() AND pg_encoding_to_char(encoding) = 'SQL_ASCII'"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        type: in words.
        family: of its type; of an array whose elements can be masked, that of these.
        length: the most characters that it, or an element of it, takes.
        array: whether it is such an array.
        read_as: what is read for it, in SQL, where that is not the column itself.
        fixed: that it only says where something belongs: it is kept, and needs no rule.
    """

    name: str
    type: str
    family: Family
    length: int | None
    padded: bool
    required: bool
    generated: bool
    unique: bool
    array: bool = False
    read_as: str = ""
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table that holds rows itself.

    Args:
        oid, schema, name: what it is called.
        root: the partitioned table it is part of, else itself.
        bytes: its size, without indexes.
        filenode: its file; another one when all rows were written anew.
        columns: its columns, in order.
        pages: of its heap, 0 where it has none; rows can be read by them.
    """

    oid: int
    schema: str
    name: str
    root: str
    bytes: int
    filenode: int
    columns: tuple[Column, ...]
    pages: int = 0

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` of `table` refer to `referenced_columns` of `referenced`, pair by pair."""

    name: str
    table: str
    columns: tuple[str, ...]
    referenced: str
    referenced_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A database without its rows. `unsupported` says what it has that no snapshot can hold."""

    tables: tuple[SourceTable, ...]
    foreign_keys: tuple[ForeignKey, ...]
    partition_columns: frozenset[tuple[str, str]]
    sequences: tuple[tuple[str, str], ...]
    materialized_views: tuple[tuple[str, str], ...]
    unsupported: tuple[str, ...]


def read_catalogue(connection: Connection) -> Catalogue:
    """Reads the catalogue as the connection's transaction sees it."""
    found = connection.execute(TABLES).fetchall()
    oids = [row[0] for row in found]
    unique = {(oid, number) for oid, number in connection.execute(UNIQUE_COLUMNS, {"tables": oids})}
    columns: dict[int, list[Column]] = defaultdict(list)
    for oid, number, name, *type_, modifier, required, generated, text, base, category, kind in connection.execute(
        COLUMNS, (oids,)
    ):
        # elements that are filled up with blanks are not told from others with as many, so such arrays stay whole
        array = base not in (None, "bpchar") and _family(base, category, kind) is not Family.OTHER
        if not array:
            base, category, kind = type_
        length = modifier - 4 if base in ("varchar", "bpchar") and modifier is not None and modifier >= 4 else None
        if base == "name":
            length = LONGEST_NAME  # it would be cut off without a word
        columns[oid].append(
            Column(
                name,
                text,
                _family(base, category, kind),
                length,
                base == "bpchar",
                required,
                generated,
                (oid, number) in unique,
                array,
            )
        )
    return Catalogue(
        tuple(
            SourceTable(oid, schema, name, f"{root_schema}.{root}", size, filenode, tuple(columns[oid]), pages)
            for oid, schema, name, root_schema, root, filenode, size, pages in found
        ),
        tuple(
            ForeignKey(name, f"{schema}.{table}", tuple(own), f"{other_schema}.{other}", tuple(others))
            for name, schema, table, other_schema, other, own, others in connection.execute(FOREIGN_KEYS)
        ),
        frozenset((f"{schema}.{table}", column) for schema, table, column in connection.execute(PARTITION_COLUMNS)),
        tuple((schema, name) for schema, name in connection.execute(RELATIONS, ("S",))),
        tuple((schema, name) for schema, name in connection.execute(RELATIONS, ("m",))),
        tuple(str(row[0]) for row in connection.execute(UNSUPPORTED)),
    )


def _family(base: str, category: str, kind: str) -> Family:
    if kind == "e":
        return Family.OTHER
    if category == "S" and base != "char":
        return Family.TEXT
    named = {
        "int4": Family.INTEGER,
        "int8": Family.INTEGER,
        "int2": Family.SMALLINT,
        "uuid": Family.UUID,
        "json": Family.JSON,
        "jsonb": Family.JSON,
        "date": Family.DATE,
        "timestamp": Family.DATE,
        "timestamptz": Family.DATE,
    }
    return named.get(base, Family.NUMBER if category == "N" else Family.OTHER)
