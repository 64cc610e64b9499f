"""What keeps a clone from reaching the systems that its source reaches, beside roles and passwords, which are its own.

A schema leaves the source without its foreign servers and user mappings, whose options hold addresses and passwords:
foreign tables become empty tables, so that what is made of them can be made. What is restored is cut off once more in
the golden directory, of which every clone is made. `dataops.snapshots.verification` checks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dataops.infra.errors import VerificationError

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

SWITCHES = {("cron", "job"): "active", ("pgagent", "pga_job"): "jobenabled", ("timetable", "chain"): "live"}
"""The tables in which extensions keep scheduled jobs, and the column that says whether one is run."""

_HEADER = re.compile(rb"^--\n-- Name: (?P<name>.*); Type: (?P<type>[A-Z ]+); Schema: .*; Owner: .*\n--\n", re.MULTILINE)
_FOREIGN_TABLE = re.compile(rb"^CREATE FOREIGN TABLE (.*?\n\)(?:\nINHERITS \([^\n]*\))?)\nSERVER .*?;\n", re.S | re.M)
_COLUMN_OPTIONS = re.compile(rb"^ALTER FOREIGN TABLE (?:ONLY )?\S+ ALTER COLUMN \S+ OPTIONS \(.*?\n\);\n", re.S | re.M)
_LINK = re.compile(rb"^(CREATE|ALTER) (SERVER|USER MAPPING|SUBSCRIPTION)\b", re.M)
_FOR_ROLES = re.compile(rb"^CREATE POLICY \S+ ON \S+ (AS RESTRICTIVE )?(FOR \w+ )?TO ", re.M)
_LINKS = frozenset({b"SERVER", b"USER MAPPING", b"SUBSCRIPTION"})

_UPHOLDING = frozenset({b"EVENT TRIGGER", b"FUNCTION"})
_UPHELD_BY = b"dataops_grant_"
"""How the event triggers and functions of `dataops.infra.providers.postgres.privileges` are called."""

_HAS_SWITCH = """
SELECT EXISTS (SELECT FROM information_schema.columns WHERE (table_schema, table_name, column_name) = (%s, %s, %s))"""
_SUBSCRIPTIONS = """
SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE datname = current_database()"""
_SLOTS = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active"
_SERVERS = "SELECT srvname FROM pg_foreign_server"


def without_links(script: bytes) -> bytes:
    """The schema that `pg_dump` wrote, without foreign servers, user mappings and subscriptions.

    Raises:
        VerificationError: one is left, since the script is not of the form that is known.
    """
    kept = b"".join(_severed(kind, name, text) for kind, name, text in _entries(script))
    if found := _LINK.search(kept):
        raise VerificationError(f"the schema still has a {found[2].decode().lower()}, with what may be secret")
    return kept


def without_rights(script: bytes) -> bytes:
    """A schema without what keeps declared rights upheld in an environment: elsewhere there are no such roles."""
    return b"".join(
        text for kind, name, text in _entries(script) if not (kind in _UPHOLDING and name.startswith(_UPHELD_BY))
    )


def cut_off(connection: Connection) -> None:
    """Switches off the scheduled jobs of a restored database, and drops what connects to elsewhere."""
    from psycopg import sql

    for (schema, table), switch in SWITCHES.items():
        name = sql.Identifier(schema, table)
        row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{schema}.{table}",)).fetchone()
        if row is None or not row[0]:
            continue
        row = connection.execute(_HAS_SWITCH.encode(), (schema, table, switch)).fetchone()
        off = sql.SQL("UPDATE {} SET {} = false").format(name, sql.Identifier(switch))
        connection.execute(off if row and row[0] else sql.SQL("DELETE FROM {}").format(name))
    for (subscription,) in connection.execute(_SUBSCRIPTIONS.encode()).fetchall():
        named = sql.Identifier(subscription)
        for change in ("ALTER SUBSCRIPTION {} DISABLE", "ALTER SUBSCRIPTION {} SET (slot_name = NONE)"):
            connection.execute(sql.SQL(change).format(named))  # else dropping it would drop the slot at its source
        connection.execute(sql.SQL("DROP SUBSCRIPTION {}").format(named))
    connection.execute(_SLOTS.encode())
    for (server,) in connection.execute(_SERVERS.encode()).fetchall():
        connection.execute(sql.SQL("DROP SERVER {} CASCADE").format(sql.Identifier(server)))


def _entries(script: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The parts of a script: kind, name and text with the header; the first has neither kind nor name."""
    headers = list(_HEADER.finditer(script))
    ends = [*(header.start() for header in headers), len(script)]
    yield b"", b"", script[: ends[0]]
    for header, end in zip(headers, ends[1:], strict=True):
        yield header["type"], header["name"], script[header.start() : end]


def _severed(kind: bytes, name: bytes, text: bytes) -> bytes:
    if kind == b"POLICY" and _FOR_ROLES.search(text):
        return b""  # for roles that no replica has: who is meant by it is not there
    if kind in _LINKS or (kind == b"COMMENT" and name.split(b" ")[0] in (b"SERVER", b"SUBSCRIPTION")):
        return b""
    if kind == b"FOREIGN TABLE":
        return _FOREIGN_TABLE.sub(rb"CREATE TABLE \1;\n", _COLUMN_OPTIONS.sub(b"", text))
    if name.startswith(b"FOREIGN TABLE ") or b"ON FOREIGN TABLE" in text:
        return text.replace(b"COMMENT ON FOREIGN TABLE", b"COMMENT ON TABLE")
    return text
