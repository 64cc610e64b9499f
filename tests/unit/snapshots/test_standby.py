"""A snapshot is taken of a standby, which may be read and no more, while its primary goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.source import open_source
from support.postgres import open_directory
from support.stored_snapshots import texts
from support.streaming import primary_and_standby, wait_for
from support.warehouses import PEOPLE, Warehouse, warehouse

pytestmark = pytest.mark.slow

COLUMNS = ["id", "name", "age", "note", "changed"]
POLICY = {"tables": {"public.people": {"keep": COLUMNS, "mail": "email"}, "public.fleeting": {"keep": ["id"]}}}
MORE = "; CREATE UNLOGGED TABLE fleeting (id int GENERATED ALWAYS AS IDENTITY); INSERT INTO fleeting DEFAULT VALUES"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[dict[str, Any], dict[str, Any], Path]]:
    with open_directory() as home, primary_and_standby(home) as (primary, standby):
        yield primary, standby, home


@pytest.fixture(scope="module")
def people(servers: tuple[dict[str, Any], dict[str, Any], Path]) -> Iterator[Warehouse]:
    with warehouse(servers[0], servers[2], "people", PEOPLE.format(rows=20_000) + MORE, POLICY) as made:
        wait_for(servers[0], servers[1])
        yield made


def rows(made: Warehouse, manifest: Manifest) -> list[bytes]:
    return texts(made.layout, manifest)["tables/public.people"].splitlines()


def test_a_standby_gives_the_snapshot_that_its_primary_gives(
    servers: tuple[dict[str, Any], dict[str, Any], Path], people: Warehouse
) -> None:
    following = replace(people, connection=servers[1])
    told: list[str] = []
    taken = following.capture(jobs=2, range_bytes=1 << 18, progress=told.append)
    assert taken.tables["public.people"].data == people.capture(range_bytes=1 << 18).tables["public.people"].data
    assert "public.fleeting" not in taken.tables
    assert "the rows of the unlogged table public.fleeting, which a standby does not have" in taken.left_out
    assert any("public.fleeting" in line for line in told)


def test_a_standby_is_captured_at_one_moment_while_its_primary_writes(
    servers: tuple[dict[str, Any], dict[str, Any], Path], people: Warehouse
) -> None:
    ending = threading.Event()

    def write() -> None:
        with connect(people.connection, people.database) as session:
            while not ending.is_set():
                session.execute("UPDATE people SET changed = changed + 1 WHERE id % 100 = 0")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        following = replace(people, connection=servers[1])
        for _ in range(2):
            taken = following.capture(jobs=2, range_bytes=1 << 18)
            number, changed = map(taken.tables["public.people"].columns.index, ("id", "changed"))
            found = [row.split(b"\t") for row in rows(following, taken)]
            assert sorted(int(row[number]) for row in found) == list(range(1, 20_001))
            assert len({row[changed] for row in found if int(row[number]) % 100 == 0}) == 1
    finally:
        ending.set()
        writer.join()


def test_nothing_can_be_written_in_the_session_that_holds_the_snapshot(people: Warehouse) -> None:
    binaries = install_binaries(people.layout.home, server_user())
    with pytest.raises(ResourceError, match="read-only transaction"):
        with open_source(people.connection, people.database, binaries) as source:
            source.leader.execute("DELETE FROM public.people")
