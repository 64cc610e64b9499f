"""Subsets from capture to golden directory: whole by themselves, the same each time, and refused with nothing made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import (
    ConfigurationError,
    DataopsError,
    NotFoundError,
    PolicyError,
    ResourceError,
)
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.process import postgres_server
from dataops.snapshots.golden import ensure_golden
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.removal import Bounds, decide
from dataops.snapshots.storage.local import LocalStorage
from dataops.snapshots.store import load_manifest, newest, snapshot_ids
from dataops.snapshots.subsets.rules import parse_rules
from dataops.snapshots.without_rows import id_without_rows
from support.made_snapshots import layout_in, make_snapshot
from support.postgres import open_directory
from support.small_production import Production, Restored, copy_text, running_clone
from support.standby import running_standby
from support.stored_snapshots import texts

RULES = ("bookings:5%", "events: kind IS NOT NULL AND at < '2026-01-01'", "players:3", "lake:raw/kept*:none")


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def subset(production: Production, told: list[str]) -> Restored:
    manifest = production.elsewhere("subset-00000000").capture(subset=parse_rules(RULES), progress=told.append)
    layout = production.elsewhere("subset-00000000").layout
    return Restored(production.elsewhere("subset-00000000"), manifest, ensure_golden(manifest, layout))


@pytest.fixture(scope="module")
def replica(subset: Restored) -> Iterator[dict[str, Any]]:
    with open_directory() as directory, running_clone(subset.golden, directory) as connection:
        yield connection


def numbers(connection: dict[str, Any], query: str) -> list[int]:
    return [int(line) for line in copy_text(connection, query).split()]


@pytest.mark.slow
def test_a_subset_has_the_rows_of_its_rules_with_all_that_they_refer_to(
    subset: Restored, replica: dict[str, Any]
) -> None:
    # restoring has put every key, unique index and view on the rows, so none of them is violated
    entries = {name: entry.rows for name, entry in subset.manifest.tables.items()}
    source = subset.production.connection
    total = numbers(source, "SELECT count(*) FROM raw.bookings")[0]
    assert 0.02 * total < entries["raw.bookings"] < 0.08 * total
    query = "SELECT count(DISTINCT passport) FROM raw.bookings"
    assert numbers(replica, query)[0] == entries["raw.passengers"] > 0
    assert entries["raw.events_2026"] == 0
    assert entries["raw.events_2025"] == numbers(source, "SELECT count(kind) FROM raw.events_2025")[0] > 0
    assert entries["raw.players"] >= 3 and entries["raw.teams"] > 0
    assert numbers(replica, "SELECT n FROM raw.a_total") == [entries["raw.bookings"]]
    assert numbers(replica, "SELECT last_value FROM raw.tickets") == numbers(
        source, "SELECT last_value FROM raw.tickets"
    )


@pytest.mark.slow
def test_the_manifest_and_the_output_say_what_was_taken_of_how_much_and_why(subset: Restored, told: list[str]) -> None:
    entry = subset.manifest.subset
    assert entry is not None
    assert entry.rules == (
        "lake:raw/kept*:none",
        "raw.bookings:5%",
        "raw.events:kind IS NOT NULL AND at < '2026-01-01'",
        "raw.players:3",
    )
    why = {name: portion.why for name, portion in entry.tables.items()}
    assert why["raw.bookings"] == why["raw.events_2025"] == why["raw.players"] == "rule"
    assert why["raw.passengers"] == why["raw.teams"] == "needed"
    assert why["raw.empty"] == "small"
    passengers = numbers(subset.production.connection, "SELECT count(*) FROM raw.passengers")[0]
    assert (entry.tables["raw.passengers"].of, entry.tables["raw.passengers"].estimated) == (passengers, False)
    assert entry.objects == 3 and sorted(subset.manifest.objects) == ["raw/passengers.parquet", "readme.txt"]
    rows = subset.manifest.tables["raw.passengers"].rows
    assert f"raw.passengers: {rows:,} of {passengers:,} rows (needed)" in told
    assert any(line.startswith("whole, since they are small") and "raw.empty" in line for line in told)


@pytest.mark.slow
def test_two_captures_choose_the_same_rows_and_a_larger_part_holds_the_smaller_one(
    production: Production, subset: Restored
) -> None:
    def bookings(rule: str) -> set[bytes]:
        made = subset.production.capture(subset=parse_rules([rule, "lake:*:none"]))
        return {*texts(subset.production.layout, made)["tables/raw.bookings"].splitlines()}

    again, more = bookings("raw.bookings:5%"), bookings("raw.bookings:9%")
    first = texts(subset.production.layout, subset.manifest)["tables/raw.bookings"].splitlines()
    assert again == {*first} and again < more


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "kind", "what"),
    [
        ("bokings:5%", NotFoundError, "there is no table bokings"),
        ("bookings: no_such > 3", ConfigurationError, 'column "no_such" does not exist'),
        ("bookings: booking_id > ", ConfigurationError, "syntax error"),
        ("bookings: booking_id", ConfigurationError, "must be type boolean"),
        ("bookings: true; DROP TABLE raw.empty", ConfigurationError, "syntax error"),
        ("bookings: true)) TO STDOUT; COMMIT; DROP TABLE raw.empty; --", ConfigurationError, "syntax error"),
        ("bookings: false", ConfigurationError, "chooses no row of raw.bookings"),
        ("empty:5%", ConfigurationError, "chooses no row of raw.empty"),
        ("bookings: nextval('raw.tickets') > 0", PolicyError, "writes"),
        ("passengers: name::int > 0", ResourceError, "fails on a row of raw.passengers: InvalidText"),
        ("passengers:down", ConfigurationError, "no key of raw.passengers leads"),
        ("lake:nowhere/*:none", ConfigurationError, "matches no object"),
    ],
)
def test_a_rule_that_cannot_be_followed_stops_the_capture_with_its_own_text(
    production: Production, rule: str, kind: type[DataopsError], what: str
) -> None:
    elsewhere = production.elsewhere("refused-11111111")
    before = numbers(production.connection, "SELECT last_value FROM raw.tickets")
    with pytest.raises(kind, match="(?s).*") as caught:
        elsewhere.capture(subset=parse_rules([rule]))
    assert what in caught.value.what
    assert caught.value.where == f"--subset {parse_rules([rule])[0].text}"
    said = f"{caught.value} {caught.value.details} {caught.value.hint}"
    assert "anary" not in said
    assert snapshot_ids(LocalStorage(elsewhere.layout.snapshots)) == []
    assert numbers(production.connection, "SELECT last_value FROM raw.tickets") == before
    assert numbers(production.connection, "SELECT count(*) FROM raw.empty") == [0]


@pytest.mark.slow
def test_a_subset_is_taken_of_a_standby(subset: Restored) -> None:
    home = subset.production.layout.home
    with open_directory() as directory:
        postgres_server.clone(subset.golden.data_directory, directory / "standby")
        with running_standby(directory / "standby", home) as connection:
            there = Production(PlatformLayout(home, "standby-00000000"), connection, subset.production.lake)
            manifest = there.capture(subset=parse_rules(["players:1", "bookings: booking_id > 0"]))
    assert manifest.tables["raw.players"].rows >= 1
    assert manifest.tables["raw.bookings"].rows == subset.manifest.tables["raw.bookings"].rows


@pytest.mark.slow
def test_a_schema_without_rows_is_restored_from_a_snapshot(restored: Restored) -> None:
    production, base = restored.production, restored.manifest.id
    empty = load_manifest(production.layout, id_without_rows(base))
    golden = ensure_golden(empty, production.layout)
    assert golden.data_directory != restored.golden.data_directory and golden.tables == restored.golden.tables
    assert [*golden.lake_directory.iterdir()] == []
    with open_directory() as directory, running_clone(golden, directory) as connection:
        for table in empty.tables:
            assert numbers(connection, f"SELECT count(*) FROM {table}") == [0]
        assert numbers(connection, "SELECT last_value FROM raw.tickets") == [1000]
        keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"
        assert numbers(connection, keys) == numbers(production.connection, keys)


def test_replicas_are_made_of_the_newest_snapshot_that_has_everything(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)
    only = part_of(layout, day=0)
    assert newest(layout).id == only.id
    whole = make_snapshot(layout, {"raw.a": b"1\n2\n"}, day=1)
    later = [part_of(layout, day=day) for day in (2, 3)]
    assert newest(layout).id == whole.id
    kept = {retained.snapshot for retained in decide(layout, {}, Bounds(keep=1)).staying}
    assert kept == {whole.id, later[1].id}


def part_of(layout: PlatformLayout, day: int) -> Manifest:
    return make_snapshot(layout, {"raw.a": b"1\n"}, day=day, rules=("raw.a:50%",))
