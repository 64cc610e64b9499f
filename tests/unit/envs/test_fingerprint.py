"""Fingerprints of real tables in a real server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dataops.envs.fingerprint import fingerprint, fingerprint_objects, fingerprint_tables
from dataops.infra.errors import ResourceError
from dataops.infra.process.postgres_connection import connect
from support.postgres import open_directory, throwaway_cluster

TABLES = """
    CREATE SCHEMA raw;
    CREATE TABLE raw.orders (id int PRIMARY KEY, note text, at timestamptz);
    CREATE TABLE raw.lines (id int, part int, n numeric, PRIMARY KEY (part, id));
    CREATE TABLE raw.loose (a text, b float8);
    CREATE VIEW raw.seen AS SELECT * FROM raw.orders;
    INSERT INTO raw.orders VALUES (2, E'two\\nlines', '2026-01-02 03:04:05+02'), (1, NULL, NULL);
    INSERT INTO raw.lines VALUES (1, 2, 3.50), (2, 1, 4);
    INSERT INTO raw.loose VALUES ('y', 1), ('x', 2), ('x', 2);
"""


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    with open_directory() as home, throwaway_cluster(home, "server") as connection:
        yield connection


@pytest.fixture
def database(server: dict[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    with connect(server, "postgres") as connection:
        connection.execute(TABLES)
        yield connection
        connection.execute("DROP SCHEMA IF EXISTS raw CASCADE")


def test_a_table_is_hashed_in_the_order_of_its_key(database: psycopg.Connection[Any]) -> None:
    found = fingerprint_tables(database)
    assert list(found) == ["raw.lines", "raw.loose", "raw.orders"]
    text = b"1\t\\N\t\\N\n2\ttwo\\nlines\t2026-01-02 01:04:05+00\n"
    assert found["raw.orders"].sha256 == hashlib.sha256(text).hexdigest()
    assert [f.count for f in found.values()] == [2, 3, 2]


def test_what_was_written_in_another_order_is_the_same(database: psycopg.Connection[Any]) -> None:
    before = fingerprint_tables(database)
    for table in ("orders", "lines", "loose"):
        database.execute(f"CREATE TEMP TABLE held AS SELECT * FROM raw.{table}")
        database.execute(f"DELETE FROM raw.{table}")
        database.execute(f"INSERT INTO raw.{table} SELECT * FROM held ORDER BY 1 DESC")
        database.execute("DROP TABLE held")
    assert fingerprint_tables(database) == before


def test_one_changed_value_changes_one_table(database: psycopg.Connection[Any]) -> None:
    before = fingerprint_tables(database)
    database.execute("UPDATE raw.lines SET n = 3.5001 WHERE id = 1")
    after = fingerprint_tables(database)
    assert [name for name in before if before[name] != after[name]] == ["raw.lines"]


def test_objects_are_hashed_by_their_path(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").write_bytes(b"a")
    found = fingerprint_objects(tmp_path)
    assert found["raw/a.csv"].sha256 == hashlib.sha256(b"a").hexdigest() and found["raw/a.csv"].count == 1
    assert fingerprint_objects(tmp_path / "none") == {}


def test_a_warehouse_that_is_down_is_told_without_its_password() -> None:
    with pytest.raises(ResourceError) as caught:
        fingerprint({"WAREHOUSE_URL": "postgresql://pipeline:hunter2@127.0.0.1:1/shop"})
    assert "hunter2" not in f"{caught.value}{caught.value.details}"
