"""The closure of chosen rows over foreign keys, by sets of rows and never by one recursive query."""

from __future__ import annotations

import struct
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataops.snapshots.subsets.keys import Key
from dataops.snapshots.subsets.selection import RowSet, literals

if TYPE_CHECKING:
    from psycopg import sql

    from dataops.snapshots.catalogue import Connection, SourceTable

HEADER = 19
_ROW = struct.Struct(">hiIiIH")
"""A row of binary COPY that holds an object identifier and a tuple identifier: number of fields, then size and value
of each."""

Found = Mapping[int, "array[int]"]
"""Rows by the object identifier of their table."""


class Closure:
    """Follows foreign keys from rows to rows. Reads only, in the transaction of its connection.

    Args:
        connection: sees the snapshot.
        tables: the tables with rows, by object identifier.
        keys: the foreign keys between them.
    """

    def __init__(self, connection: Connection, tables: Mapping[int, SourceTable], keys: Collection[Key]) -> None:
        self._connection, self._tables = connection, tables
        self._from: dict[int, list[Key]] = defaultdict(list)
        self._to: dict[int, list[Key]] = defaultdict(list)
        for key in keys:
            for oid in key.children:
                self._from[oid].append(key)
            for oid in key.parents:
                self._to[oid].append(key)

    def go_along(self, chosen: Mapping[int, RowSet], along: Collection[int]) -> None:
        """Adds to chosen rows those rows of some tables that refer to them, until there are no more."""

        def follow(oid: int, rows: array[int] | None) -> Iterator[Found]:
            for key in self._to[oid]:
                for child in key.children:
                    if child in along and not chosen[child].whole:
                        yield from self._children(key, oid, child, rows)

        _spread(chosen, follow)

    def complete(self, taken: Mapping[int, RowSet]) -> None:
        """Adds to rows those that they refer to, until there are no more."""

        def follow(oid: int, rows: array[int] | None) -> Iterator[Found]:
            for key in self._from[oid]:
                if not all(taken[parent].whole for parent in key.parents):
                    yield from self._parents(key, oid, rows)

        _spread(taken, follow)

    def _parents(self, key: Key, oid: int, rows: array[int] | None) -> Iterator[Found]:
        from psycopg import sql

        query = sql.SQL("SELECT DISTINCT p.tableoid, p.ctid FROM ONLY {} c JOIN {} p ON {}").format(
            self._name(oid),
            sql.SQL(key.source),
            key.condition(),
        )
        return self._batches(query, "c", rows)

    def _children(self, key: Key, oid: int, child: int, rows: array[int] | None) -> Iterator[Found]:
        from psycopg import sql

        query = sql.SQL("SELECT DISTINCT c.tableoid, c.ctid FROM ONLY {} p JOIN ONLY {} c ON {}").format(
            self._name(oid), self._name(child), key.condition()
        )
        return self._batches(query, "p", rows)

    def _batches(self, query: sql.Composed, start: str, rows: array[int] | None) -> Iterator[Found]:
        """What a query finds from some rows, a batch at a time; from all of them where None are given."""
        from psycopg import sql

        if rows is None:
            yield read_rows(self._connection, query)
            return
        for some in literals(rows):
            restriction = sql.SQL(f" WHERE {start}.ctid = ANY ({some})")
            yield read_rows(self._connection, query + restriction)

    def _name(self, oid: int) -> sql.Identifier:
        from psycopg import sql

        table = self._tables[oid]
        return sql.Identifier(table.schema, table.name)


@contextmanager
def fetching_by_number(connection: Connection) -> Iterator[None]:
    """Has rows fetched where they lie, rather than looked for in the whole table once for every batch of them."""
    query = "SELECT set_config('enable_seqscan', %s, true)"
    connection.execute(query, ("off",))
    yield
    connection.execute(query, ("on",))


def _spread(rows: Mapping[int, RowSet], follow: Callable[[int, array[int] | None], Iterator[Found]]) -> None:
    """Follows every row once, those that are found on the way included."""
    waiting: dict[int, list[array[int]]] = {}
    for oid, own in rows.items():
        if own.whole:
            waiting[oid] = []
        elif len(own):
            waiting[oid] = [own.numbers()]
    while waiting:
        oid, parts = next(iter(waiting.items()))
        del waiting[oid]
        found: dict[int, array[int]] = defaultdict(lambda: array("q"))
        for some in follow(oid, _joined(parts) if parts else None):
            for other, numbers in some.items():
                found[other].extend(numbers)
        for other, numbers in found.items():
            if new := rows[other].add(numbers):
                waiting.setdefault(other, []).append(new)


def _joined(parts: list[array[int]]) -> array[int]:
    whole = array("q")
    for part in parts:
        whole.extend(part)
    return whole


def read_rows(connection: Connection, query: sql.Composed) -> dict[int, array[int]]:
    """The rows that a query tells by `tableoid` and `ctid`, by table."""
    from psycopg import sql

    found: dict[int, array[int]] = defaultdict(lambda: array("q"))
    rest = b""
    begun = False
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)) as copy,
    ):
        for block in copy:
            data = rest + bytes(block)
            if not begun:
                if len(data) < HEADER:
                    rest = data
                    continue
                data, begun = data[HEADER:], True
            whole = len(data) - len(data) % _ROW.size
            for _, _, oid, _, number, place in _ROW.iter_unpack(data[:whole]):
                found[oid].append(number << 16 | place)
            rest = data[whole:]
    return dict(found)
