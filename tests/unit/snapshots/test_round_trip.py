"""From production to a golden directory: what is kept arrives byte for byte, what is masked never arrives."""

from __future__ import annotations

import hashlib
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.process.postgres_connection import connect
from dataops.snapshots import keys
from dataops.snapshots.golden import ensure_golden
from dataops.snapshots.restore import mark_of
from dataops.snapshots.store import list_snapshots, load_manifest, newest
from support.postgres import open_directory
from support.small_production import DATABASE, MASKED, Restored, copy_text, running_clone
from support.stored_snapshots import all_texts, check

pytestmark = pytest.mark.slow

CANARIES = (b"canary", b"Canary", b"secret-host", b"+1-555-10011", b"nick1")
KEYS = {"raw.passengers": "passenger_id", "raw.bookings": "booking_id", "raw.nothing": "1"}


@pytest.fixture(scope="module")
def replica(restored: Restored) -> Iterator[dict[str, Any]]:
    with open_directory() as directory, running_clone(restored.golden, directory) as connection:
        yield connection


def rows(connection: dict[str, Any], query: str) -> list[tuple[Any, ...]]:
    with connect(connection, DATABASE) as session:
        return session.execute(query.encode()).fetchall()


def test_kept_columns_arrive_byte_for_byte(restored: Restored, replica: dict[str, Any]) -> None:
    for table, entry in restored.manifest.tables.items():
        kept = [column for column in entry.columns if column not in MASKED.get(table, ())] or ["1"]
        key = KEYS.get(table, kept[0])
        query = f"SELECT {', '.join(kept)} FROM ONLY {table} ORDER BY {key}"
        before = copy_text(restored.production.connection, query)
        assert hashlib.sha256(copy_text(replica, query)).digest() == hashlib.sha256(before).digest(), table
        assert before.count(b"\n") == entry.rows


def test_every_row_of_a_masked_column_is_changed_and_null_stays_null(
    restored: Restored, replica: dict[str, Any]
) -> None:
    for table in ("raw.passengers", "raw.bookings"):
        for column in sorted(MASKED[table] - {"secret", "initial"}):
            query = f"SELECT {KEYS[table]}, {column}::text FROM {table} WHERE {column} IS NOT NULL ORDER BY 1"
            before, after = rows(restored.production.connection, query), rows(replica, query)
            assert [key for key, _ in before] == [key for key, _ in after], (table, column)
            same = [1 for old, new in zip(before, after, strict=True) if old == new and old[1]]
            assert not same, (table, column)
    assert rows(replica, "SELECT count(secret) FROM raw.passengers") == [(0,)]


def test_the_schema_arrives_whole(restored: Restored, replica: dict[str, Any]) -> None:
    schema = """
        SELECT c.relkind::text, n.nspname, c.relname, pg_get_userbyid(c.relowner), c.relispopulated
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'raw' ORDER BY 1, 2, 3"""
    before, after = rows(restored.production.connection, schema), rows(replica, schema)
    assert [row[:3] for row in after] == [row[:3] for row in before]
    assert {row[3] for row in after} == {"warehouse_owner"}
    assert [row[4] for row in after] == [row[4] for row in before]
    definitions = [
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'raw'::regnamespace ORDER BY 1",
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE c.relnamespace = 'raw'::regnamespace ORDER BY 1",
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'raw'::regnamespace ORDER BY 1",
        "SELECT last_value, is_called FROM raw.tickets",
        "SELECT last_value, is_called FROM raw.bookings_booking_id_seq",
        "SELECT obj_description('raw.bookings'::regclass)",
        "SELECT extname FROM pg_extension ORDER BY 1",
        "SELECT * FROM raw.b_counts ORDER BY 1",
        "SELECT * FROM raw.a_total",
    ]
    for query in definitions:
        assert rows(replica, query) == rows(restored.production.connection, query), query


def test_generated_columns_are_generated_from_masked_values(replica: dict[str, Any]) -> None:
    assert rows(replica, "SELECT count(*) FROM raw.passengers WHERE initial <> substr(name, 1, 1)") == [(0,)]


def test_joins_keep_their_cardinality(restored: Restored, replica: dict[str, Any]) -> None:
    joins = [
        "SELECT count(*), count(DISTINCT p.passenger_id) FROM raw.bookings b JOIN raw.passengers p USING (passport)",
        "SELECT count(*), count(DISTINCT p.passenger_id) FROM raw.bookings b JOIN raw.passengers p USING (loyalty)",
        "SELECT kind_rows, count(*) FROM (SELECT count(*) AS kind_rows FROM raw.events GROUP BY kind) k GROUP BY 1",
    ]
    for query in joins:
        before = rows(restored.production.connection, query)
        assert rows(replica, query) == before
        assert before[0][0] > 0


@pytest.mark.parametrize("column", ["passport", "loyalty", "email", "date_of_birth"])
def test_joins_of_warehouse_and_lake_keep_their_rows(restored: Restored, replica: dict[str, Any], column: str) -> None:
    query = f"SELECT passenger_id, {column}::text FROM raw.passengers"
    for connection, lake in (
        (restored.production.connection, restored.production.lake),
        (replica, restored.golden.lake_directory),
    ):
        warehouse = dict(rows(connection, query))
        table = pq.read_table(lake / "raw" / "passengers.parquet")
        texts = pc.cast(table.column(column), "string").to_pylist()
        pairs = zip(table.column("passenger_id").to_pylist(), texts, strict=True)
        assert all(text is None or warehouse[passenger] == text for passenger, text in pairs)


def test_objects_without_masked_columns_are_the_same_bytes(restored: Restored) -> None:
    for path in ("raw/kept.parquet", "readme.txt"):
        kept = (restored.golden.lake_directory / path).read_bytes()
        assert kept == (restored.production.lake / path).read_bytes()


def test_masked_objects_keep_types_nulls_and_row_groups(restored: Restored) -> None:
    before = pq.ParquetFile(restored.production.lake / "raw" / "passengers.parquet")
    after = pq.ParquetFile(restored.golden.lake_directory / "raw" / "passengers.parquet")
    assert after.schema_arrow.remove_metadata() == before.schema_arrow.remove_metadata()
    assert after.num_row_groups == before.num_row_groups
    assert after.read().column("passport").null_count == before.read().column("passport").null_count == 200
    assert b"canary-metadata" not in str(after.schema_arrow.metadata).encode()


def test_unfinished_objects_are_left_out(restored: Restored) -> None:
    assert sorted(restored.manifest.objects) == ["raw/kept.parquet", "raw/passengers.parquet", "readme.txt"]


def _contents(path: Path) -> Iterator[bytes]:
    """What a file says, unpacked or not."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        yield str(pq.read_table(path).to_pylist()).encode()


def _unpacked(label: str, text: bytes) -> Iterator[bytes]:
    """Data of a snapshot, and the values in them where they are packed."""
    yield text
    if label.endswith(".parquet"):
        yield str(pq.read_table(pa.BufferReader(text)).to_pylist()).encode()


def _leaks(*roots: Path) -> list[tuple[Path, bytes]]:
    files = [path for root in roots for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return [(file, c) for file in files for text in _contents(file) for c in CANARIES if c in text]


def test_no_canary_is_found_in_store_golden_directory_or_logs(restored: Restored) -> None:
    layout = restored.production.layout
    assert _leaks(layout.root) == []
    stored = all_texts(layout)
    assert {label for _, label in stored} >= {"tables/raw.passengers", "lake/raw/passengers.parquet", "schema/pre-data"}
    assert [
        name for name, text in stored.items() for c in CANARIES if any(c in t for t in _unpacked(name[1], text))
    ] == []


def test_the_search_for_canaries_finds_them_in_production(restored: Restored) -> None:
    with connect(restored.production.connection) as admin:
        admin.execute("CHECKPOINT")
    found = {canary for _, canary in _leaks(restored.production.layout.home / "cluster" / "base")}
    assert found == set(CANARIES)
    assert {canary for _, canary in _leaks(restored.production.lake)} >= {b"canary", b"Canary"}


def test_masking_again_gives_the_same_values(restored: Restored) -> None:
    again = restored.production.capture(hosts=("db.prod.example.com",))
    assert again.masking == restored.manifest.masking
    for table in ("raw.passengers", "raw.events_2025"):
        assert again.tables[table] == restored.manifest.tables[table]
    assert newest(restored.production.layout) == again
    assert [m.id for m in list_snapshots(restored.production.layout)] == sorted([again.id, restored.manifest.id])
    other = restored.production.elsewhere("other-00000000").capture()
    assert other.tables["raw.passengers"].data.hash != restored.manifest.tables["raw.passengers"].data.hash


def test_the_manifest_says_what_was_done(restored: Restored) -> None:
    manifest = load_manifest(restored.production.layout, restored.manifest.id)
    check(restored.production.layout, manifest)
    assert manifest == restored.manifest
    assert manifest.environment == "production"
    assert manifest.git_commit == "c0ffee"
    assert manifest.masking["raw.passengers.email"].changed == 2001
    assert manifest.masking["raw.events.kind"].distinct == 10
    assert manifest.masking["raw.events.kind"].changed == 3000
    assert manifest.tables["raw.empty"].rows == 0
    assert manifest.tables["raw.nothing"].rows == 2
    assert manifest.production_references == ()


def test_the_golden_directory_is_stopped_read_only_and_known_by_its_mark(
    restored: Restored, replica: dict[str, Any]
) -> None:
    golden = restored.golden
    assert not (golden.data_directory / "postmaster.pid").exists()
    for path in golden.data_directory.parent.rglob("*"):
        assert not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH), path
    mark = rows(replica, "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'")
    assert mark == [(mark_of(restored.manifest),)]
    roles = rows(replica, "SELECT rolname, rolsuper, rolcanlogin FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")
    assert roles == [("postgres", True, True), ("warehouse_owner", False, False)]
    assert rows(replica, "SELECT count(*) FROM pg_class WHERE relacl IS NOT NULL AND relname = 'bookings'") == [(0,)]
    unfrozen = "SELECT count(*) FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relkind = 'r'"
    assert rows(replica, f"{unfrozen} AND relallvisible < relpages") == [(0,)]


def test_asking_again_for_the_golden_directory_builds_nothing(restored: Restored) -> None:
    before = {path: path.stat().st_mtime_ns for path in restored.production.layout.golden.rglob("*")}
    assert ensure_golden(restored.manifest, restored.production.layout) == restored.golden
    assert {path: path.stat().st_mtime_ns for path in restored.production.layout.golden.rglob("*")} == before


def test_a_machine_that_restores_holds_no_masking_key_and_needs_none(restored: Restored) -> None:
    capturing = restored.production.layout
    secret = keys.masking_key(capturing.keys)
    with open_directory() as home:
        layout = PlatformLayout(home, "other-00000000")
        layout.keys.mkdir(parents=True)
        shutil.copytree(capturing.snapshots, layout.snapshots)
        for name in ("store.key", "signing.pub"):
            shutil.copy(capturing.keys / name, layout.keys / name)
        golden = ensure_golden(load_manifest(layout, restored.manifest.id), layout)
        assert golden.tables == restored.golden.tables
        with running_clone(golden, home / "clone") as connection:
            assert rows(connection, "SELECT count(*) FROM raw.passengers") == [(2001,)]
        held = [path for path in home.rglob("*") if path.is_file() and not path.is_symlink()]
        assert [p for p in held if secret in (text := p.read_bytes()) or secret.hex().encode() in text] == []
        assert {path.name for path in layout.keys.iterdir()} == {"store.key", "signing.pub"}
