"""Tables that change and servers that go away during a capture: told by type, nothing is seen, the next one goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import count
from typing import Any

import pytest
from psycopg.errors import QueryCanceled

from dataops.infra.errors import LockedError, NotFoundError, ResourceError, VerificationError
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.process import postgres_server, postgres_status
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.golden import ensure_golden
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.removal import remove
from dataops.snapshots.source import open_source
from dataops.snapshots.store import list_snapshots
from support.postgres import FAST, open_directory
from support.small_production import Production, copy_text
from support.stored_snapshots import check, texts
from support.warehouses import PEOPLE, Warehouse, warehouse

pytestmark = pytest.mark.slow

SCRIPT = f"{PEOPLE.format(rows=20_000)}; CREATE TABLE others (id int); INSERT INTO others VALUES (1)"
COLUMNS = ("id", "name", "mail", "age", "note", "changed")
SIZE = 1 << 16
PATIENCE = 60
NUMBERS = count()
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"


def keeping(*columns: str) -> dict[str, Any]:
    return {"tables": {"public.people": {"keep": list(columns)}, "public.others": {"keep": ["id"]}}}


@pytest.fixture
def people(production: Production) -> Iterator[Warehouse]:
    name = f"restless_{next(NUMBERS)}"  # so is the store
    with warehouse(production.connection, production.layout.home, name, SCRIPT, keeping(*COLUMNS)) as made:
        yield made


def with_more(made: Warehouse) -> Warehouse:
    """The same with a rule for a column that was added."""
    return Warehouse(made.layout, made.connection, made.database, keeping(*COLUMNS, "more"))


def wait_for(made: Warehouse, query: str, *values: object) -> None:
    deadline = time.monotonic() + PATIENCE
    with connect(made.connection, made.database) as session:
        while not (session.execute(query.encode(), values).fetchone() or (0,))[0]:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def nothing_is_seen(made: Warehouse) -> None:
    assert list_snapshots(made.layout) == []
    assert list(made.layout.snapshots.glob(".partial-*")) == []


def captured_as_it_is(made: Warehouse, **options: Any) -> dict[str, bytes]:
    """Captures; the rows are those of now. Gives all data by label."""
    manifest = made.capture(**options)
    check(made.layout, manifest)
    stored = texts(made.layout, manifest)
    for table in manifest.tables:
        assert stored[f"tables/{table}"] == copy_text(made.connection, f"SELECT * FROM ONLY {table}", made.database)
    return stored


def captured_while_changed(made: Warehouse, change: str) -> Future[Manifest]:
    """A capture whose snapshot was taken before somebody's change of a table, and whose locks came after it."""
    with ThreadPoolExecutor(1) as pool, connect(made.connection, made.database) as session:
        with session.transaction():
            session.execute(change.encode())
            capture = pool.submit(made.capture)
            wait_for(made, BLOCKED, session.info.backend_pid)
        return capture


def test_a_table_that_is_dropped_while_a_capture_begins_is_not_part_of_it(people: Warehouse) -> None:
    manifest = captured_while_changed(people, "DROP TABLE people").result()
    assert [*manifest.tables] == ["public.others"]
    assert [one.id for one in list_snapshots(people.layout)] == [manifest.id]
    check(people.layout, manifest)


def test_a_column_that_is_added_while_a_capture_begins_does_not_slip_through_without_a_rule(people: Warehouse) -> None:
    capture = captured_while_changed(people, "ALTER TABLE people ADD more text DEFAULT 'canary'")
    with pytest.raises(VerificationError, match=r"public\.people\.more has no masking rule"):
        capture.result()
    nothing_is_seen(people)
    assert b"canary" in captured_as_it_is(with_more(people))["tables/public.people"]


def test_a_table_that_is_rewritten_while_a_capture_begins_is_captured_with_all_its_rows(people: Warehouse) -> None:
    manifest = captured_while_changed(people, "ALTER TABLE people ALTER age TYPE bigint").result()
    assert manifest.tables["public.people"].rows == 20_000
    assert b"age bigint" in texts(people.layout, manifest)["schema/pre-data"]
    captured_as_it_is(people)


@pytest.mark.parametrize(
    "change",
    ["DROP TABLE people", "ALTER TABLE people ADD more text DEFAULT 'x'"],
)
def test_who_waits_to_change_a_table_is_named_and_the_next_capture_goes_on(people: Warehouse, change: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        changed: list[Future[Any]] = []

        def change_it(line: str) -> None:
            if line.startswith("public.people") and not changed:
                changed.append(pool.submit(people.run, change))
                wait_for(people, WAITING)

        with pytest.raises(LockedError, match="somebody waits to change (public.)?people") as told:
            people.capture(jobs=1, range_bytes=SIZE, progress=change_it, lock_seconds=1)
        assert "goes on where it stopped" in (told.value.hint or "")
        changed[0].result(PATIENCE)
    nothing_is_seen(people)
    stored = captured_as_it_is(with_more(people) if "more" in change else people)
    assert ("tables/public.people" in stored) == ("DROP" not in change)


def test_who_waits_to_change_a_table_before_its_schema_is_read_is_named(people: Warehouse) -> None:
    binaries = install_binaries(people.layout.home, server_user())
    with ThreadPoolExecutor(1) as pool:
        with open_source(people.connection, people.database, binaries, lock_seconds=1) as source:
            changed = pool.submit(people.run, "DROP TABLE people")
            wait_for(people, WAITING)
            with pytest.raises(LockedError, match="somebody waits to change (public.)?people"):
                source.dump("pre-data")
        changed.result(PATIENCE)


def test_a_capture_goes_on_when_whoever_waited_to_change_a_table_gives_up(people: Warehouse) -> None:
    with ThreadPoolExecutor(2) as pool:
        begun: list[Future[Any]] = []

        def give_up() -> None:
            time.sleep(0.3)  # so that a worker waits, too
            people.run(CANCEL)

        def change_it(line: str) -> None:
            if line.startswith("public.people") and not begun:
                begun.append(pool.submit(people.run, "DROP TABLE people"))
                wait_for(people, WAITING)
                begun.append(pool.submit(give_up))

        captured_as_it_is(people, jobs=1, range_bytes=SIZE, progress=change_it)
        with pytest.raises(QueryCanceled):
            begun[0].result(PATIENCE)


def test_a_server_that_dies_while_it_is_captured_is_told_and_when_it_is_back_the_capture_goes_on() -> None:
    user = server_user()
    with open_directory() as home:
        binaries, data = install_binaries(home, user), home / "mortal"
        postgres_server.initialize(data, binaries, user, sync=False)

        def running() -> AbstractContextManager[dict[str, Any]]:
            return postgres_server.temporary_server(data, binaries, user, settings=FAST)

        def kill_it(line: str) -> None:
            status = postgres_status.status(data) if line.startswith("public.people") else None
            if status is not None:
                os.kill(status.pid, signal.SIGQUIT)  # all sessions end at once, and nothing is written any more

        with running() as connection:
            with connect(connection) as admin:
                admin.execute("CREATE DATABASE mortal")
            made = Warehouse(PlatformLayout(home, "mortal-00000000"), connection, "mortal", keeping(*COLUMNS))
            made.run(SCRIPT, "CHECKPOINT")
            with pytest.raises(ResourceError, match="connection .* was lost") as told:
                made.capture(jobs=1, range_bytes=SIZE, progress=kill_it)
            assert "goes on where it stopped" in (told.value.hint or "")
            nothing_is_seen(made)
            with pytest.raises(ResourceError, match="connecting to the database mortal failed"):
                made.capture()
        with running():
            captured_as_it_is(made, jobs=1, range_bytes=SIZE)


def test_a_snapshot_is_not_pruned_while_it_is_restored_and_one_that_was_is_not_restored(people: Warehouse) -> None:
    layout, manifest = people.layout, people.capture()
    with ThreadPoolExecutor(1) as pool:
        restore = pool.submit(ensure_golden, manifest, layout)
        deadline = time.monotonic() + PATIENCE
        while not any(layout.golden.glob(".partial-*/postgres")):
            assert time.monotonic() < deadline
        removed = remove(layout, [manifest.id])
        assert removed.snapshots == () and "restoring" in removed.left[0].why
        golden = restore.result()
    assert golden.tables == 2
    assert remove(layout, [manifest.id]).snapshots == (manifest.id,)
    with pytest.raises(NotFoundError, match=manifest.id):
        ensure_golden(manifest, layout)
    assert [path for path in layout.golden.iterdir() if path.is_dir()] == []
    again = people.capture()
    assert ensure_golden(again, layout).tables == 2


def test_a_capture_ends_when_nobody_listens_to_it_any_more(people: Warehouse) -> None:
    def closed(line: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        people.capture(jobs=2, range_bytes=SIZE, progress=closed)
    nothing_is_seen(people)
    captured_as_it_is(people)
