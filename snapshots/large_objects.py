"""Large objects: bytes that Postgres keeps beside the tables, under numbers that columns of type `oid` or `lo` hold.

They lie in two tables of the catalogue, which are captured as other tables are, in ranges, masked and counted:
`pg_largeobject_metadata` has a row for each object, `pg_largeobject` their bytes in pages. Where bytes belong is kept;
the bytes themselves, and comments on objects, need rules. Objects come back under their numbers and belong, as all
else, to one role.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from dataops.infra.errors import VerificationError
from dataops.snapshots.catalogue import Catalogue, Column, SourceTable
from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.manifest import Manifest, TableEntry, table_label
from dataops.snapshots.masking.base import Family
from dataops.snapshots.rows import unescape

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

SCHEMA = "pg_catalog"
OBJECTS, PAGES = f"{SCHEMA}.pg_largeobject_metadata", f"{SCHEMA}.pg_largeobject"
_START = "pageno::int8 * (current_setting('block_size')::int8 / 4)"
_COMMENT = "obj_description(oid, 'pg_largeobject')"
_MOST_HEX = 2 + 2 * (32768 // 4)
"""How long the bytes of a page can be in text: a mask must not reach into the next one."""
_TABLES = """
SELECT c.oid, c.relname, pg_relation_filenode(c.oid), pg_table_size(c.oid),
  pg_relation_size(c.oid) / current_setting('block_size')::int,
  EXISTS (SELECT FROM pg_description WHERE classoid = 'pg_largeobject'::regclass)
FROM pg_class c
WHERE c.oid IN ('pg_catalog.pg_largeobject_metadata'::regclass, 'pg_catalog.pg_largeobject'::regclass)
  AND EXISTS (SELECT FROM pg_largeobject_metadata) AND has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')
ORDER BY c.relname"""


def with_large_objects(catalogue: Catalogue, connection: Connection) -> Catalogue:
    """The same catalogue with the tables that large objects lie in, if there are some that may be read."""
    found = []
    for oid, name, filenode, size, pages, commented in connection.execute(_TABLES):
        if f"{SCHEMA}.{name}" == OBJECTS:
            # a comment changes without its object, so that nothing proves what rows were like: they are read anew
            columns, pages = _columns(commented), 0
        else:
            columns = _PAGE_COLUMNS
        found.append(SourceTable(oid, SCHEMA, name, f"{SCHEMA}.{name}", size, filenode, columns, pages))
    return replace(catalogue, tables=(*catalogue.tables, *found))


def _column(name: str, type_: str, family: Family, read_as: str = "", *, fixed: bool = False) -> Column:
    length = _MOST_HEX if type_ == "bytea" else None
    return Column(name, type_, family, length, False, False, False, False, read_as=read_as, fixed=fixed)


_PAGE_COLUMNS = (
    _column("loid", "oid", Family.OTHER, fixed=True),
    _column("start", "bigint", Family.OTHER, _START, fixed=True),
    _column("data", "bytea", Family.OTHER),
)


def _columns(commented: bool) -> tuple[Column, ...]:
    number = _column("oid", "oid", Family.OTHER, fixed=True)
    return (number, _column("comment", "text", Family.TEXT, _COMMENT)) if commented else (number,)


def tables_of(manifest: Manifest) -> dict[str, TableEntry]:
    """The tables of a snapshot without those that its large objects lie in."""
    return {name: entry for name, entry in manifest.tables.items() if name not in (OBJECTS, PAGES)}


def load_large_objects(connection: Connection, snapshot: SnapshotReader) -> None:
    """Makes the large objects of a snapshot, as the role that the session has, and counts them.

    Args:
        connection: to a database without large objects.
        snapshot: a few megabytes of it are in memory at a time.

    Raises:
        VerificationError: a chunk was changed, or there are not as many as the manifest says.
    """
    from psycopg import sql

    tables = snapshot.manifest.tables
    if OBJECTS not in tables:
        return
    for rows in _pieces(snapshot, OBJECTS):
        with connection.cursor() as cursor:
            cursor.executemany("SELECT pg_catalog.lo_create(%s::oid)", [(row["oid"],) for row in rows])
        for row in rows:
            if (comment := row.get("comment")) is not None:
                number = sql.SQL(str(int(row["oid"] or 0)))
                connection.execute(sql.SQL("COMMENT ON LARGE OBJECT {} IS {}").format(number, sql.Literal(comment)))
    for rows in _pieces(snapshot, PAGES):
        with connection.cursor() as cursor:
            pages = [(row["loid"], row["start"], row["data"]) for row in rows if row["data"] is not None]
            cursor.executemany("SELECT pg_catalog.lo_put(%s::oid, %s::int8, %s::bytea)", pages)
    found = connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()
    if found is None or found[0] != tables[OBJECTS].rows:
        raise _miscounted("large objects", found[0] if found else 0, tables[OBJECTS].rows)


def _pieces(snapshot: SnapshotReader, table: str) -> Iterator[list[Mapping[str, str | None]]]:
    """The rows of a table by column, a chunk at a time."""
    entry = snapshot.manifest.tables.get(table)
    if entry is None:
        return
    count = 0
    for piece in snapshot.read(table_label(table)):
        fields = [map(unescape, line.split("\t")) for line in piece.decode().split("\n")[:-1]]
        count += len(fields)
        yield [dict(zip(entry.columns, row, strict=True)) for row in fields]
    if count != entry.rows:
        raise _miscounted(f"rows of {table}", count, entry.rows)


def _miscounted(what: str, found: int, expected: int) -> VerificationError:
    return VerificationError(f"there are {found:,} {what} after the restore, the snapshot has {expected:,}")
