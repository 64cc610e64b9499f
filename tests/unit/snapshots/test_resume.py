"""A capture that was killed, or lost its connection, goes on where it stopped, and never uses what has changed."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.catalogue import read_catalogue
from dataops.snapshots.ranges import Range
from dataops.snapshots.reader import Reader
from dataops.snapshots.store import list_snapshots
from dataops.snapshots.unfinished import KEPT_SECONDS, UNFINISHED
from support.made_snapshots import make_snapshot
from support.small_production import Production, copy_text
from support.stored_snapshots import all_chunks, check, chunks_of, texts
from support.warehouses import LAST, PEOPLE, Ranges, Warehouse, warehouse

pytestmark = pytest.mark.slow

ROWS = 60_000
SIZE = 1 << 16
DONE = 60
AGAIN = "in the store already"
JOBS = 2
COLUMNS = ["id", "name", "mail", "age", "note", "changed"]


def keeping(*columns: str, **rules: str) -> dict[str, Any]:
    """A policy for the table."""
    return {"tables": {"public.people": {"keep": list(columns), **rules}}}


KEPT = keeping(*COLUMNS)


def killed(made: Warehouse, done: int = DONE) -> int:
    """Kills a capture when so many ranges are done; how many were, at least."""
    before = list_snapshots(made.layout)
    child, count = made.capturing(done, jobs=JOBS, range_bytes=SIZE), 0
    assert child.stdout is not None
    while count < done and (line := child.stdout.readline()):
        count += line.startswith("public.people")
    child.kill()
    child.wait()
    child.stdout.close()
    assert list_snapshots(made.layout) == before
    return count


def resumed(made: Warehouse) -> tuple[int, int]:
    """Captures; how many ranges were there already, and how many there are. The rows are those of now."""
    told: list[str] = []
    manifest = made.capture(jobs=JOBS, range_bytes=SIZE, progress=told.append)
    check(made.layout, manifest)
    stored = texts(made.layout, manifest)["tables/public.people"]
    assert stored == copy_text(made.connection, "SELECT * FROM ONLY people", made.database)
    assert manifest.tables["public.people"].bytes == len(stored)
    assert manifest.tables["public.people"].rows == stored.count(b"\n")
    assert list(made.layout.snapshots.glob(".unfinished-*")) == []
    assert all_chunks(made.layout) == chunks_of(made.layout)
    return sum(AGAIN in line for line in told), sum(line.startswith("public.people") for line in told)


def test_after_a_kill_at_most_a_twentieth_is_done_again(production: Production) -> None:
    with warehouse(production.connection, production.layout.home, "killed", PEOPLE.format(rows=ROWS), KEPT) as made:
        done = killed(made)
        reused, every = resumed(made)
        begun = done + JOBS
        print(f"killed after {done} of {every} ranges, {begun - reused} done again: {(begun - reused) / begun:.1%}")
        assert done < every
        assert begun - reused <= 0.05 * begun


@pytest.mark.parametrize(
    ("change", "some"),
    [
        ("UPDATE people SET changed = 1 WHERE id <= 100", True),
        ("UPDATE people SET id = id WHERE id % 1000 = 0", True),
        ("DELETE FROM people WHERE id = 5", True),
        ("VACUUM (FULL, FREEZE) people", False),
        ("ALTER TABLE people ALTER age TYPE bigint", False),
        ("ALTER TABLE people ADD more text DEFAULT 'x'", False),
        ("BEGIN; CREATE TABLE p AS SELECT * FROM people; TRUNCATE people; INSERT INTO people SELECT * FROM p;"
         " DROP TABLE p; COMMIT", False),
        ("VACUUM (FREEZE) people", True),
    ],
)  # fmt: skip
def test_what_changed_after_a_kill_is_captured_as_it_is(production: Production, change: str, some: bool) -> None:
    rules = keeping(*COLUMNS, "more")
    with warehouse(production.connection, production.layout.home, "moved", PEOPLE.format(rows=ROWS), rules) as made:
        killed(made)
        made.run(change)
        reused, _ = resumed(made)
        assert (reused > 0) == some


@pytest.mark.parametrize("version", [130000, 140000, 180000])
def test_the_rows_of_a_range_are_proved_by_what_a_server_of_each_version_can(
    production: Production, version: int
) -> None:
    home = production.layout.home
    with warehouse(production.connection, home, "proved", PEOPLE.format(rows=300), KEPT) as made:
        binaries = install_binaries(home, server_user())
        reader = Reader(made.connection, made.database, "", binaries, version)
        with connect(made.connection, made.database) as session:
            (table,) = read_catalogue(session).tables
        query = reader.proof(table, Range(0, 1 << 12))
        assert query is not None
        proofs = [made.run(query)]
        assert made.run("SELECT 1", query) == proofs[0]
        for change in ("id = 7", "id = 7", "id > 250"):
            proofs.append(made.run(f"UPDATE people SET age = age WHERE {change}", query))
        assert all(proof not in proofs[:place] for place, proof in enumerate(proofs))


def test_other_rules_use_nothing_of_what_was_done_under_the_former(production: Production) -> None:
    home, masked = production.layout.home, keeping("id", "name", "age", "note", "changed", mail="email")
    with warehouse(production.connection, home, "ruled", PEOPLE.format(rows=ROWS), KEPT) as made:
        killed(made, 20)
        told: list[str] = []
        other = Warehouse(made.layout, made.connection, made.database, masked)
        manifest = other.capture(jobs=JOBS, range_bytes=SIZE, progress=told.append)
        assert not any(AGAIN in line for line in told)
        assert b"@corp.example" not in texts(made.layout, manifest)["tables/public.people"]
        assert all_chunks(made.layout) == chunks_of(made.layout)


def test_a_worker_that_loses_its_connection_tries_again_in_the_same_snapshot(production: Production) -> None:
    with warehouse(production.connection, production.layout.home, "cut", PEOPLE.format(rows=ROWS), KEPT) as made:
        cut: list[int] = []

        def cut_workers(_: str) -> None:
            if len(cut) < 3:
                found = made.run(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'psql'"
                )
                cut.append(found[0][0])

        manifest = made.capture(jobs=JOBS, range_bytes=SIZE, progress=cut_workers)
        assert texts(made.layout, manifest)["tables/public.people"] == copy_text(
            made.connection, "SELECT * FROM people", made.database
        )


def test_a_capture_whose_snapshot_is_lost_says_so_and_goes_on_when_run_again(production: Production) -> None:
    with warehouse(production.connection, production.layout.home, "lost", PEOPLE.format(rows=ROWS), KEPT) as made:
        done = Ranges()

        def cut_all(line: str) -> None:
            done.add(line)
            if done.count >= DONE:
                done.settle()
            if done.count >= DONE + LAST:
                with connect(made.connection) as admin:
                    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lost'")

        with pytest.raises(ResourceError, match="connection .* was lost") as raised:
            made.capture(jobs=JOBS, range_bytes=SIZE, progress=cut_all)
        assert "goes on where it stopped" in (raised.value.hint or "")
        assert list_snapshots(made.layout) == []
        reused, _ = resumed(made)
        assert reused >= DONE


def test_a_record_that_nobody_comes_back_for_goes_with_its_chunks(production: Production) -> None:
    with warehouse(production.connection, production.layout.home, "left", PEOPLE.format(rows=ROWS), KEPT) as made:
        killed(made, 20)
        (record,) = made.layout.snapshots.glob(f"{UNFINISHED}*")
        assert b"people" not in record.read_bytes() and record.stat().st_mode & 0o777 == 0o600
        make_snapshot(made.layout, {"raw.a": b"1\n"})
        assert record.exists() and all_chunks(made.layout) > chunks_of(made.layout)
        old = time.time() - KEPT_SECONDS - 1
        os.utime(record, (old, old))
        make_snapshot(made.layout, {"raw.a": b"2\n"}, day=1)
        make_snapshot(made.layout, {"raw.a": b"3\n"}, day=2)
        assert not record.exists() and all_chunks(made.layout) == chunks_of(made.layout)


def test_a_torn_record_is_used_as_far_as_it_goes(production: Production) -> None:
    with warehouse(production.connection, production.layout.home, "torn", PEOPLE.format(rows=ROWS), KEPT) as made:
        killed(made)
        (record,) = made.layout.snapshots.glob(f"{UNFINISHED}*")
        text = record.read_bytes()
        record.write_bytes(text[: len(text) // 2])
        reused, every = resumed(made)
        assert 0 < reused < every
