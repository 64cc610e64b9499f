"""What stops a capture: before any row is read, nothing made, and told by column and never by value."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataops.infra.errors import LockedError, ResourceError, VerificationError
from dataops.infra.process.postgres_connection import connect
from dataops.snapshots.publishing import new_snapshot
from support.small_production import DATABASE, POLICY, Production
from support.stored_snapshots import texts

pytestmark = pytest.mark.slow


@pytest.fixture
def elsewhere(production: Production) -> Production:
    """Production with a store of its own, which must stay empty."""
    return production.elsewhere("refused-00000000")


def changed(table: str, **rules: Any) -> dict[str, Any]:
    """The policy with some rules of a table replaced; None takes one away."""
    policy = copy.deepcopy(POLICY)
    own = policy["tables"][table]
    for column, rule in rules.items():
        own["keep"] = [name for name in own["keep"] if name != column]
        own.pop(column, None)
        if rule is not None:
            own[column] = rule
    return policy


def refusal(production: Production, policy: dict[str, Any] = POLICY) -> VerificationError:
    # as a worker leaves it that is ended before it writes
    (production.layout.snapshots / "chunks" / "0a").mkdir(parents=True, exist_ok=True)
    with pytest.raises(VerificationError) as caught:
        production.capture(policy)
    assert [str(p) for p in production.layout.snapshots.rglob("[!.]*")] == []
    assert list(production.layout.snapshots.glob(".partial*")) == []
    assert "anary" not in f"{caught.value} {caught.value.details} {caught.value.hint}"
    return caught.value


@contextmanager
def altered(production: Production, change: str, back: str) -> Iterator[None]:
    with connect(production.connection, DATABASE) as admin:
        admin.execute(change.encode())
        try:
            yield
        finally:
            admin.execute(back.encode())


def test_a_column_without_a_rule_stops_the_capture_and_the_rule_to_add_is_printed(elsewhere: Production) -> None:
    error = refusal(elsewhere, changed("raw.passengers", notes=None, born_at=None, passenger_id=None))
    assert error.what == "raw.passengers.passenger_id has no masking rule"
    assert error.exit_code == 11
    lines = (error.details or "").splitlines()
    assert "raw.passengers.notes has no masking rule" in lines
    expected = ["add to dataops.yaml:", "  masking:", "    tables:", "      raw.passengers:"]
    assert lines[2:6] == expected
    assert [line.split("#")[0].strip() for line in lines[6:]] == [
        "passenger_id: digits",
        "notes: hash",
        "born_at: {rule: date_shift, days: 180}",
    ]


def test_a_new_column_stops_the_capture(elsewhere: Production) -> None:
    add, drop = "ALTER TABLE raw.empty ADD ssn text", "ALTER TABLE raw.empty DROP ssn"
    with altered(elsewhere, add, drop):
        assert refusal(elsewhere).what == "raw.empty.ssn has no masking rule"


def test_a_new_table_stops_the_capture_naming_its_columns(elsewhere: Production) -> None:
    with altered(elsewhere, "CREATE TABLE public.fresh (a int, b text)", "DROP TABLE public.fresh"):
        error = refusal(elsewhere)
    assert error.what == "public.fresh.a has no masking rule"
    assert "public.fresh.b has no masking rule" in (error.details or "")


def test_a_partition_follows_the_rules_of_its_table_and_is_told_once(elsewhere: Production) -> None:
    error = refusal(elsewhere, changed("raw.events", kind=None))
    assert error.what == "raw.events.kind has no masking rule"
    assert (error.details or "").count("raw.events.kind") == 0


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        ("email", "name"),
        ("email", "text"),
        ("passport", {"rule": "constant", "value": "x"}),
        ("passenger_id", {"rule": "constant", "value": 1}),
        ("loyalty", "null"),
    ],
)
def test_a_unique_column_needs_an_injective_rule(elsewhere: Production, column: str, rule: Any) -> None:
    error = refusal(elsewhere, changed("raw.passengers", **{column: rule}))
    assert error.what.startswith(f"raw.passengers.{column} cannot be masked with")
    assert "unique index" in error.what


def test_both_ends_of_a_foreign_key_need_the_same_rule(elsewhere: Production) -> None:
    for rule in ("keep", "hash", {"rule": "fpe", "alphabet": "alphanumeric"}):
        error = refusal(elsewhere, changed("raw.bookings", passport=rule))
        assert "raw.bookings.passport has the rule" in error.what
        assert "raw.passengers.passport, which it refers to (bookings_passport_fkey)" in error.what


@pytest.mark.parametrize(
    ("table", "column", "rule", "why"),
    [
        ("raw.passengers", "date_of_birth", "hash", "does not serve the type date"),
        ("raw.passengers", "loyalty", "email", "does not serve the type integer"),
        ("raw.passengers", "token", "hash", "does not serve the type uuid"),
        ("raw.bookings", "class", "hash", "does not serve the type raw.class"),
        ("raw.passengers", "name", "null", "is NOT NULL"),
        ("raw.events", "at", {"rule": "date_shift", "days": 3}, "unique index"),
    ],
)
def test_a_rule_that_cannot_stand_on_a_column_is_refused(
    elsewhere: Production, table: str, column: str, rule: Any, why: str
) -> None:
    error = refusal(elsewhere, changed(table, **{column: rule}))
    assert f"{table}.{column} cannot be masked" in error.what
    assert why in error.what


def test_a_partition_key_is_not_masked(elsewhere: Production) -> None:
    make = "CREATE TABLE public.parts (id int) PARTITION BY HASH (id);" + "".join(
        f"CREATE TABLE public.part{i} PARTITION OF public.parts FOR VALUES WITH (MODULUS 2, REMAINDER {i});"
        for i in range(2)
    )
    policy = copy.deepcopy(POLICY)
    policy["tables"]["public.parts"] = {"id": "digits"}
    with altered(elsewhere, make, "DROP TABLE public.parts"):
        assert "partitioned by the column" in refusal(elsewhere, policy).what


def test_a_value_that_its_rule_cannot_take_stops_the_capture_without_being_told(elsewhere: Production) -> None:
    error = refusal(elsewhere, changed("raw.passengers", notes={"rule": "fpe", "alphabet": "hex"}))
    assert error.what.startswith("raw.passengers.notes cannot be masked with `fpe(alphabet=hex)`")
    assert "odd" not in error.what


def test_a_masked_value_that_no_longer_fits_its_column_stops_the_capture(elsewhere: Production) -> None:
    error = refusal(elsewhere, changed("raw.passengers", phone="hash"))
    assert "raw.passengers.phone" in error.what
    assert "longer than the 40 characters" in error.what


def lake_of(tmp_path: Path, production: Production) -> Production:
    return Production(production.layout, production.connection, tmp_path)


def test_an_object_without_rules_stops_the_capture(elsewhere: Production, tmp_path: Path) -> None:
    pq.write_table(pa.table({"ssn": ["1"], "day": pa.array([1], pa.date32())}), tmp_path / "new.parquet")
    error = refusal(lake_of(tmp_path, elsewhere))
    assert error.what == "lake:new.parquet.ssn has no masking rule"
    assert "    lake:\n      new.parquet:\n        ssn: hash" in (error.details or "")
    (tmp_path / "new.parquet").unlink()
    (tmp_path / "new.csv").write_text("canary")
    assert refusal(lake_of(tmp_path, elsewhere)).what == "lake:new.csv has no masking rule"


def test_an_object_that_is_no_parquet_file_or_has_no_columns_to_mask_is_refused(
    elsewhere: Production, tmp_path: Path
) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 canary")
    assert "not a readable Parquet file" in refusal(lake_of(tmp_path, elsewhere)).what
    (tmp_path / "torn.parquet").unlink()
    (tmp_path / "a.csv").write_text("canary")
    policy = copy.deepcopy(POLICY)
    policy["lake"]["a.csv"] = {"column": "hash"}
    assert "only Parquet objects" in refusal(lake_of(tmp_path, elsewhere), policy).what


def test_rules_that_an_object_takes_from_a_table_hold(elsewhere: Production, tmp_path: Path) -> None:
    pq.write_table(pa.table({"passport": ["QZ0007919"]}), tmp_path / "like.parquet")
    policy = copy.deepcopy(POLICY)
    policy["lake"]["like.parquet"] = {"like": "raw.passengers"}
    manifest = lake_of(tmp_path, production := elsewhere.elsewhere("like-00000000")).capture(policy)
    stored = pa.BufferReader(texts(production.layout, manifest)["lake/like.parquet"])
    assert manifest.masking["lake:like.parquet.passport"].changed == 1
    assert pq.read_table(stored).column("passport").to_pylist() != ["QZ0007919"]


def test_two_captures_at_once_are_not_made(elsewhere: Production) -> None:
    with new_snapshot(elsewhere.layout.snapshots, elsewhere.layout.keys):
        with pytest.raises(LockedError, match=r"process \d+"):
            elsewhere.capture()


def test_a_server_that_does_not_answer_is_told(elsewhere: Production, tmp_path: Path) -> None:
    gone = Production(elsewhere.layout, {**elsewhere.connection, "host": str(tmp_path)}, tmp_path)
    with pytest.raises(ResourceError, match="connecting to the database shop failed"):
        gone.capture()


def test_production_hosts_in_rows_objects_and_schema_are_counted(production: Production, tmp_path: Path) -> None:
    elsewhere = production.elsewhere("hosts-00000000")
    pq.write_table(pa.table({"x": ["see db.PROD.example.com now", "other"]}), tmp_path / "kept.parquet")
    (tmp_path / "notes.txt").write_text("db.prod.example.com and xdb.prod.example.com and 127.0.0.1:54321")
    policy = copy.deepcopy(POLICY)
    policy["lake"] = {"kept.parquet": {"keep": ["x"]}, "notes.txt": {}}
    make = """
        CREATE TABLE public.links (url text);
        INSERT INTO public.links SELECT 'postgresql://u@DB.prod.example.com/x' FROM generate_series(1, 3);
        INSERT INTO public.links VALUES ('127.0.0.1:5432'), ('127.0.0.1:54321');
        COMMENT ON TABLE public.links IS 'from db.prod.example.com'"""
    policy["tables"]["public.links"] = {"keep": ["url"]}
    with altered(elsewhere, make, "DROP TABLE public.links"):
        manifest = lake_of(tmp_path, elsewhere).capture(
            policy, hosts=("db.prod.example.com", "localhost"), production_hosts=("127.0.0.1:5432",)
        )
    assert manifest.production_hosts == ("127.0.0.1:5432", "db.prod.example.com")
    assert [(r.where, r.host, r.count) for r in manifest.production_references] == [
        ("lake:kept.parquet.x", "db.prod.example.com", 1),
        ("lake:notes.txt", "db.prod.example.com", 1),
        ("public.links.url", "127.0.0.1:5432", 1),
        ("public.links.url", "db.prod.example.com", 3),
        ("schema", "db.prod.example.com", 1),
    ]
