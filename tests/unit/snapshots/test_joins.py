"""Masks join where raw values joined: random small schemas, in a real Postgres and real Parquet files."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataops.infra.process.postgres_connection import connect
from dataops.snapshots.check_masking import check_masking
from dataops.snapshots.chunk_reader import SnapshotReader
from dataops.snapshots.manifest import object_label, table_label
from dataops.snapshots.reader import whole_rows
from dataops.snapshots.rows import unescape
from support.small_production import DATABASE, POLICY, Production
from support.small_production import platform as small_platform
from support.stored_snapshots import opened

pytestmark = pytest.mark.slow

KINDS: tuple[tuple[str, Any, Any], ...] = (
    ("text", "hash", lambda n: f"value {n}"),
    ("text", "email", lambda n: f"Person{n}@Host{n % 3}.org"),
    ("text", "phone", lambda n: f"+49 30 {n:06}"),
    ("text", "card", lambda n: f"4{n:014}{n % 10}"),
    ("text", {"rule": "national_id", "kind": "us_ssn"}, lambda n: f"{100 + n % 500}-{10 + n % 80}-{1000 + n}"),
    ("text", {"class": "token"}, lambda n: f"tok{n}"),
    ("varchar(12)", {"rule": "fpe", "alphabet": "upper_digits"}, lambda n: f"Q{n:06}"),
    ("bigint", "digits", lambda n: str(n * 1_000_003 - 500)),
    ("integer", "digits", lambda n: str(n * 7 - 300)),
    ("uuid", "uuid", lambda n: f"00000000-0000-4000-8000-{n:012x}"),
    ("text", "keep", lambda n: f"k{n}"),
)
ARROW = {"bigint": pa.int64(), "integer": pa.int32()}


class Schema:
    """Some tables whose columns refer to one table of people, and files with the same values."""

    def __init__(self, seed: int, lake: Path) -> None:
        self.rng = random.Random(seed)
        self.keys = self.rng.sample(KINDS, self.rng.randrange(1, 4))
        self.people = self.rng.randrange(3, 60)
        self.tables = [f"t{number}" for number in range(self.rng.randrange(1, 4))]
        self.lake = lake

    def columns(self) -> list[str]:
        return [f"k{number}" for number in range(len(self.keys))]

    def rows(self, count: int) -> list[list[str | None]]:
        """Each row tells of some person, or of nobody."""
        picked = [self.rng.randrange(self.people) for _ in range(count)]
        return [[None if self.rng.random() < 0.1 else kind[2](n) for kind in self.keys] for n in picked]

    def make(self, admin: Any) -> None:
        """Makes tables and files."""
        types = ", ".join(f"{c} {k[0]} UNIQUE NOT NULL" for c, k in zip(self.columns(), self.keys, strict=True))
        admin.execute(f"CREATE SCHEMA joined; CREATE TABLE joined.people ({types})")
        everybody = [[kind[2](n) for kind in self.keys] for n in range(self.people)]
        self._fill(admin, "people", everybody)
        for table in self.tables:
            types = ", ".join(
                f"{c} {k[0]} REFERENCES joined.people ({c})" for c, k in zip(self.columns(), self.keys, strict=True)
            )
            admin.execute(f"CREATE TABLE joined.{table} ({types})")
            self._fill(admin, table, self.rows(self.rng.randrange(1, 80)))
            self._write(table, self.rows(self.rng.randrange(1, 80)))

    def _fill(self, admin: Any, table: str, rows: list[list[str | None]]) -> None:
        marks = ", ".join(f"%s::{kind[0]}" for kind in self.keys)
        with admin.cursor() as cursor:
            cursor.executemany(f"INSERT INTO joined.{table} VALUES ({marks})", rows)

    def _write(self, table: str, rows: list[list[str | None]]) -> None:
        arrays = []
        for number, kind in enumerate(self.keys):
            values = pa.array([row[number] for row in rows], pa.string())
            if kind[0] in ARROW:
                values = values.cast(ARROW[kind[0]])
            arrays.append(values.dictionary_encode() if self.rng.random() < 0.3 and kind[0] == "text" else values)
        pq.write_table(pa.table(dict(zip(self.columns(), arrays, strict=True))), self.lake / f"{table}.parquet")

    def policy(self) -> dict[str, Any]:
        rules = {column: kind[1] for column, kind in zip(self.columns(), self.keys, strict=True)}
        tables = {f"joined.{table}": rules for table in ("people", *self.tables)}
        lake: dict[str, Any] = {f"{table}.parquet": {"like": "joined.people"} for table in self.tables}
        for table in self.tables:  # a UUID is a text in Parquet, under the same rule
            assert set(rules) == set(self.columns()), table
        return {"tables": {**POLICY["tables"], **tables}, "lake": lake}


def shapes(columns: dict[str, list[list[str | None]]]) -> dict[str, Any]:
    """How often values meet: per pair of tables and column, the sizes of the groups on both sides."""
    found: dict[str, Any] = {}
    for here, own in columns.items():
        for there, other in columns.items():
            for number, (a, b) in enumerate(zip(own, other, strict=True)):
                left, right = Counter(v for v in a if v is not None), Counter(v for v in b if v is not None)
                joined = sorted((left[value], right[value]) for value in left.keys() & right.keys())
                found[f"{here} {there} {number}"] = (joined, len(left), sum(v is None for v in a))
    return found


def raw_columns(production: Production, schema: Schema) -> dict[str, list[list[str | None]]]:
    with connect(production.connection, DATABASE) as admin:
        names = ", ".join(f"{column}::text" for column in schema.columns())
        found = {
            table: _columns(admin.execute(f"SELECT {names} FROM joined.{table}".encode()).fetchall(), schema)
            for table in ("people", *schema.tables)
        }
    return found | _files(production.lake, schema)


def _columns(rows: list[Any], schema: Schema) -> list[list[str | None]]:
    return [[row[number] for row in rows] for number in range(len(schema.keys))]


def _files(lake: Path, schema: Schema) -> dict[str, list[list[str | None]]]:
    found = {}
    for table in schema.tables:
        read = pq.read_table(lake / f"{table}.parquet")
        found[f"lake:{table}"] = [
            [None if value is None else str(value) for value in read.column(name).to_pylist()]
            for name in schema.columns()
        ]
    return found


def masked_columns(snapshot: SnapshotReader, schema: Schema, lake: Path) -> dict[str, list[list[str | None]]]:
    found = {}
    for table in ("people", *schema.tables):
        text = b"".join(whole_rows(snapshot.read(table_label(f"joined.{table}")))).decode()
        held = _columns([[*map(unescape, line.split("\t"))] for line in text.split("\n")[:-1]], schema)
        order = snapshot.manifest.tables[f"joined.{table}"].columns  # the snapshot's own
        found[table] = [held[order.index(column)] for column in schema.columns()]
    lake.mkdir()
    for path in snapshot.manifest.objects:
        (lake / path).write_bytes(b"".join(snapshot.read(object_label(path))))
    return found | _files(lake, schema)


def try_one(production: Production, seed: int, place: Path) -> None:
    lake = place / f"lake{seed}"
    lake.mkdir()
    own = Production(production.elsewhere("joins-00000000").layout, production.connection, lake)
    schema = Schema(seed, lake)
    with connect(own.connection, DATABASE) as admin:
        admin.execute(b"DROP SCHEMA IF EXISTS joined CASCADE")
        schema.make(admin)
        try:
            assert small_platform(schema.policy())
            manifest = own.capture(schema.policy(), jobs=1)
            snapshot = opened(own.layout, manifest)
            raw, masked = raw_columns(own, schema), masked_columns(snapshot, schema, place / f"masked{seed}")
            assert shapes(masked) == shapes(raw), f"seed {seed}"
            for number, kind in enumerate(schema.keys):
                if kind[1] != "keep":
                    assert not set(raw["people"][number]) & set(masked["people"][number]) - {None}, (seed, kind)
            lost = [c.label for c in check_masking(snapshot) if c.unique == "lost"]
            assert lost == []
        finally:
            admin.execute(b"DROP SCHEMA joined CASCADE")


def test_people_join_in_every_table_and_file_as_they_did_before(production: Production, tmp_path: Path) -> None:
    for seed in random.Random().sample(range(1_000_000), 3):
        try_one(production, seed, tmp_path)


@pytest.mark.torture
def test_people_join_in_many_random_schemas(production: Production, tmp_path: Path) -> None:
    for seed in range(100):
        try_one(production, seed, tmp_path)
