"""Random databases with foreign keys of every kind, and a plain model of what a subset of one must hold.

The model knows rows by table and number, and works everything out by comparing values in Python: slowly, and without a
line of what it is compared with.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

Row = tuple[str, int]
"""A row: its table and its number in it."""
UNIQUE: Mapping[str, tuple[str, ...]] = {"id": ("id",), "pair": ("a", "b"), "word": ("w",)}
"""What keys can refer to: a primary key, two columns that are unique together, and one that may be NULL."""
TYPES = {"id": "bigint", "a": "int", "b": "text", "w": "text"}


@dataclass(frozen=True)
class RandomKey:
    """A foreign key from columns `k<number>_<column>` of a table to a unique set of columns of another or the same."""

    number: int
    table: str
    referenced: str
    target: str
    full: bool
    required: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"k{self.number}_{column}" for column in UNIQUE[self.target])

    def definition(self) -> str:
        listed, others = ", ".join(self.columns), ", ".join(UNIQUE[self.target])
        match = "FULL" if self.full else "SIMPLE"
        return (
            f"ALTER TABLE s.{self.table} ADD CONSTRAINT key{self.number} FOREIGN KEY ({listed})"
            f" REFERENCES s.{self.referenced} ({others}) MATCH {match}"
        )


@dataclass
class RandomSchema:
    """A schema `s` with rows; `rows` are the values of each table's rows, whose numbers are their `n`."""

    tables: list[str]
    partitioned: frozenset[str]
    inheriting: dict[str, str]
    keys: list[RandomKey]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def statements(self) -> list[str]:
        """What makes the tables, without keys and rows."""
        made = ["CREATE SCHEMA s"]
        for table in self.tables:
            extra = [
                f"k{key.number}_{column} {TYPES[column]}{' NOT NULL' if key.required else ''}"
                for key in self.keys
                if key.table == table
                for column in UNIQUE[key.target]
            ]
            if table in self.partitioned:
                listed = ", ".join(["n int", "id bigint PRIMARY KEY", *extra])
                made.append(f"CREATE TABLE s.{table} ({listed}) PARTITION BY HASH (id)")
                made += [
                    f"CREATE TABLE s.{table}_{part} PARTITION OF s.{table}"
                    f" FOR VALUES WITH (MODULUS 2, REMAINDER {part})"
                    for part in range(2)
                ]
                continue
            columns = ["n int", "id bigint PRIMARY KEY", "a int NOT NULL", "b text NOT NULL", "w text UNIQUE"]
            made.append(f"CREATE TABLE s.{table} ({', '.join([*columns, 'UNIQUE (a, b)', *extra])})")
        made += [f"CREATE TABLE s.{child} () INHERITS (s.{parent})" for child, parent in self.inheriting.items()]
        return made

    def build(self, connection: Connection) -> None:
        """Makes tables, rows and keys."""
        for statement in self.statements():
            connection.execute(statement.encode())
        for table, rows in self.rows.items():
            for row in rows:
                names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
                connection.execute(f"INSERT INTO s.{table} ({names}) VALUES ({marks})".encode(), list(row.values()))
        for key in self.keys:
            connection.execute(key.definition().encode())

    def referenced(self, key: RandomKey, row: Mapping[str, Any]) -> list[Row]:
        """The row that a row refers to by a key, if any."""
        values = [row[column] for column in key.columns]
        if None in values:
            return []
        return [
            (key.referenced, number)
            for number, other in enumerate(self.rows[key.referenced])
            if [other[column] for column in UNIQUE[key.target]] == values
        ]

    def expected(self, seeds: set[Row], along: Sequence[str], whole: Sequence[str]) -> set[Row]:
        """The rows of a subset: those that rules name, those that go along, and all that these refer to."""
        edges = {(key.table, number): set[Row]() for key in self.keys for number in range(len(self.rows[key.table]))}
        for key in self.keys:
            for number, row in enumerate(self.rows[key.table]):
                edges[key.table, number] |= {*self.referenced(key, row)}
        taken = {*seeds, *((table, number) for table in whole for number in range(len(self.rows[table])))}
        while True:
            new = {row for row, to in edges.items() if row[0] in along and to & taken} - taken
            if not new:
                break
            taken |= new
        while new := {other for row in taken for other in edges.get(row, ())} - taken:
            taken |= new
        return taken

    def lookups(self, taken: set[Row], named: Sequence[str], whole: Sequence[str]) -> set[str]:
        """The tables that are taken whole although nothing leads to them."""
        found = {*self.tables, *self.inheriting} - {table for table, _ in taken} - {*named} - {*whole}
        while True:
            gone = {k.table for k in self.keys if k.table in found and k.referenced not in found | {*whole}}
            if not gone:
                return found
            found -= gone


def random_schema(draw: random.Random) -> RandomSchema:
    """Up to seven tables with cycles, self references, composite, nullable and non-primary keys, and partitions."""
    tables = [f"t{number}" for number in range(draw.randint(1, 6))]
    partitioned = frozenset(table for table in tables if draw.random() < 0.2)
    plain = [table for table in tables if table not in partitioned]
    inheriting = {"heir": draw.choice(plain)} if plain and draw.random() < 0.3 else {}
    keys = []
    for number in range(draw.randint(0, 2 * len(tables))):
        referenced = draw.choice(tables)
        target = "id" if referenced in partitioned else draw.choice(list(UNIQUE))
        key = RandomKey(number, draw.choice(tables), referenced, target, draw.random() < 0.4, draw.random() < 0.3)
        keys.append(key)
    schema = RandomSchema(tables, partitioned, inheriting, keys)
    for table in tables:
        rows = []
        for number in range(draw.randint(0, 12)):
            row: dict[str, Any] = {"n": number, "id": number * 7 + draw.randint(0, 6)}
            if table not in partitioned:
                row |= {"a": number % 3, "b": f"b{number}'", "w": draw.choice([None, f"w{number}"])}
            rows.append(row)
        schema.rows[table] = rows
    while not _fill(schema, draw):
        pass
    for child, parent in inheriting.items():
        # rows that have the very keys of their parent's: no key leads to them
        schema.rows[child] = [dict(row) for row in schema.rows[parent]][:2]
    return schema


def _fill(schema: RandomSchema, draw: random.Random) -> bool:
    """Gives every row something to refer to; False when a table had to be emptied for want of it."""
    for key in schema.keys:
        targets = [
            [row[column] for column in UNIQUE[key.target]]
            for row in schema.rows[key.referenced]
            if None not in [row[column] for column in UNIQUE[key.target]]
        ]
        if not targets and key.required and schema.rows[key.table]:
            schema.rows[key.table] = []
            return False
        for row in schema.rows[key.table]:
            values: list[Any] = [None] * len(key.columns)
            if targets and (key.required or draw.random() < 0.8):
                values = list(draw.choice(targets))
                if not key.required and not key.full and len(values) > 1 and draw.random() < 0.2:
                    values[draw.randrange(len(values))] = None  # such a key refers to nothing
            row |= dict(zip(key.columns, values, strict=True))
    return True
