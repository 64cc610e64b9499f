"""Restoring a snapshot into any Postgres, for use without environments: all of it in one transaction, or nothing.

Whatever happens on the way, `kill -9` included, the database is as it was, and a server throws away by itself what was
not committed. The schema is run by the driver rather than by `psql`, so that the server may insist on TLS.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from dataops.infra.errors import ResourceError, VerificationError
from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.hygiene import without_rights
from dataops.snapshots.large_objects import load_large_objects, tables_of
from dataops.snapshots.manifest import POST_DATA, PRE_DATA, Manifest, TableEntry, table_label
from dataops.snapshots.reader import TEXT_FORM
from dataops.snapshots.target import Target, clean, require_empty, require_extensions, require_roles
from dataops.snapshots.views import fill_views

_META = re.compile(rb"^\\(un)?restrict .*\n", re.M)
_SET = re.compile(rb"^SET (\w+) = .*;\n", re.M)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a restore is: the table that is done, tables, rows and bytes of COPY text so far and in all, seconds."""

    table: str
    tables: tuple[int, int]
    rows: tuple[int, int]
    bytes: tuple[int, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in the database now."""

    tables: int
    rows: int
    seconds: float


def restore_into(
    snapshot: SnapshotReader, target: Target, *, emptied: bool, tell: Callable[[Progress], None]
) -> Restored:
    """Restores the warehouse of a snapshot into a database, as the user who is connected, to whom it then belongs.

    Args:
        snapshot: the snapshot.
        target: an open database; its transaction is the caller's.
        emptied: whether what is in the database is removed first.
        tell: called after each table.

    Raises:
        PolicyError: the database is not empty.
        NotFoundError: the server lacks extensions or roles.
        ResourceError: the schema cannot be loaded: names both versions when the server is older.
        VerificationError: a chunk or the restored data is not as the manifest says.
    """
    began = time.monotonic()
    manifest = snapshot.manifest
    before, after = (without_rights(b"".join(snapshot.read(label))) for label in (PRE_DATA, POST_DATA))
    require_extensions(target, before)
    require_roles(target, after)
    if emptied:
        clean(target)
    else:
        require_empty(target)
    _run(target, before, manifest)
    for name, value in TEXT_FORM.items():
        target.connection.execute("SELECT set_config(%s, %s, true)", (name, value))
    rows = size = 0
    load_large_objects(target.connection, snapshot)
    ordered, plain = sorted(manifest.tables.items(), key=lambda item: item[0]), tables_of(manifest)
    total = sum(entry.rows for entry in manifest.tables.values()), sum(e.bytes for e in manifest.tables.values())
    for number, (label, entry) in enumerate(ordered, 1):
        if label in plain:
            _copy_in(target, snapshot, label, entry)
        rows, size = rows + entry.rows, size + entry.bytes
        passed = time.monotonic() - began
        tell(Progress(label, (number, len(ordered)), (rows, total[0]), (size, total[1]), passed))
    for label, sequence in manifest.sequences.items():
        name = _quoted(label)
        target.connection.execute("SELECT setval(%s::regclass, %s, %s)", (name, sequence.last, sequence.called))
    _run(target, after, manifest)
    fill_views(target.connection, manifest)
    target.connection.execute("ANALYZE")
    return Restored(len(manifest.tables), rows, time.monotonic() - began)


def version_text(number: int) -> str:
    """The version that `server_version_num` says: `18.6`."""
    return f"{number // 10000}.{number % 10000}"


def _run(target: Target, script: bytes, manifest: Manifest) -> None:
    """Runs a section of the schema."""
    import psycopg

    known = {row[0].encode() for row in target.connection.execute("SELECT name FROM pg_settings")}
    plain = _META.sub(b"", script)
    head, header, rest = plain.partition(b"\n--\n-- Name: ")
    # what `pg_dump` sets for newer servers, an older one need not know
    head = _SET.sub(lambda found: found[0] if found[1] in known else b"", head)
    try:
        target.connection.execute(head + header + rest)
    except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory, psycopg.errors.ConnectionException):
        raise
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        source = version_text(manifest.server_version)
        if target.version < manifest.server_version:
            raise ResourceError(
                f"the snapshot is of PostgreSQL {source}, the server is PostgreSQL {version_text(target.version)}, "
                "which cannot load its schema",
                where=target.place,
                hint=f"restore into PostgreSQL {source} or newer",
                details=said,
            ) from None
        raise ResourceError("the schema cannot be loaded", where=target.place, details=said) from None


def _copy_in(target: Target, snapshot: SnapshotReader, label: str, entry: TableEntry) -> None:
    from psycopg import sql

    columns = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Identifier, entry.columns)))
    table = sql.Identifier(*label.split(".", 1))
    # the table was made in this transaction, so nobody else can see rows that are frozen already
    query = sql.SQL("COPY {} {} FROM STDIN (FREEZE)").format(table, columns if entry.columns else sql.SQL(""))
    with target.connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            for piece in snapshot.read(table_label(label)):
                copy.write(piece)
        found = cursor.rowcount
    if found != entry.rows:
        raise VerificationError(f"{label} has {found:,} rows after the restore, the snapshot has {entry.rows:,}")


def _quoted(label: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in label.split(".", 1))
