"""The foreign keys of a database as the closure follows them: with operators, and down to the tables with rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg import sql

    from dataops.snapshots.catalogue import Catalogue, Connection

# Postgres compares the two ends with these operators, under the collation of the end that is referred to
_KEYS = """
SELECT f.conname, c.oid, n.nspname, c.relname, r.oid, rn.nspname, r.relname, r.relkind = 'p',
  ARRAY(SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY k(n, i)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.n ORDER BY k.i),
  ARRAY(SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY k(n, i)
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.n ORDER BY k.i),
  ARRAY(SELECT format('OPERATOR(%I.%s)', s.nspname, o.oprname) FROM unnest(f.conpfeqop) WITH ORDINALITY k(n, i)
        JOIN pg_operator o ON o.oid = k.n JOIN pg_namespace s ON s.oid = o.oprnamespace ORDER BY k.i),
  ARRAY(SELECT CASE WHEN a.attcollation <> b.attcollation THEN format('COLLATE %I.%I', s.nspname, l.collname)
               ELSE '' END
        FROM unnest(f.confkey, f.conkey) WITH ORDINALITY k(n, m, i)
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.n
        JOIN pg_attribute b ON b.attrelid = f.conrelid AND b.attnum = k.m
        LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace s ON s.oid = l.collnamespace
        ORDER BY k.i)
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = f.confrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0
ORDER BY n.nspname, c.relname, f.conname"""
_LEAVES = """
SELECT c.oid, ARRAY(SELECT relid::oid FROM pg_partition_tree(c.oid) WHERE isleaf)
FROM pg_class c WHERE c.relkind = 'p'"""


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key; `parents` and `children` are the tables with rows on either side, by object identifier.

    Args:
        table, referenced: the two ends, `schema.table`.
        source: the end that is referred to, as it stands after FROM.
        pairs: of each column pair the referring one, the referred one, the operator and a collation or "".
    """

    name: str
    table: str
    referenced: str
    source: str
    children: tuple[int, ...]
    parents: tuple[int, ...]
    pairs: tuple[tuple[str, str, str, str], ...]

    def condition(self) -> sql.Composable:
        """When a row `c` refers to a row `p`. One that has a NULL refers to none, whatever MATCH says."""
        from psycopg import sql

        parts = [
            sql.SQL("p.{} " + operator + " c.{} " + collation).format(sql.Identifier(other), sql.Identifier(own))
            for own, other, operator, collation in self.pairs
        ]
        return sql.SQL(" AND ").join(parts)


def read_keys(connection: Connection, catalogue: Catalogue) -> tuple[Key, ...]:
    """The foreign keys between captured tables, as the connection's transaction sees them."""
    from psycopg import sql

    known = {table.oid for table in catalogue.tables}
    parts: Mapping[int, list[int]] = dict(connection.execute(_LEAVES).fetchall())
    keys = []
    for row in connection.execute(_KEYS).fetchall():
        name, child, schema, table, parent, other_schema, other, partitioned, own, others, operators, collations = row
        # rows of tables that merely inherit are no rows of the end of a key, those of partitions are
        source = sql.SQL("{}" if partitioned else "ONLY {}").format(sql.Identifier(other_schema, other))
        children = tuple(oid for oid in parts.get(child, [child]) if oid in known)
        parents = tuple(oid for oid in parts.get(parent, [parent]) if oid in known)
        if children and parents:
            pairs = tuple(zip(own, others, operators, collations, strict=True))
            ends = f"{schema}.{table}", f"{other_schema}.{other}"
            keys.append(Key(name, *ends, source.as_string(connection), children, parents, pairs))
    return tuple(keys)
