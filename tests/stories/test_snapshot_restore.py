"""`dataops snapshot restore`: a snapshot into a Postgres of one's own, by the command line alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dataops.infra.process.postgres_connection import connect
from support.postgres import open_directory, throwaway_cluster
from support.scratch_platform import ScratchPlatform

pytestmark = pytest.mark.slow

PASSWORD = "hunter2-hunter2"


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    """A Postgres that is none of dataops', with a user who has a password and a database."""
    with open_directory() as home, throwaway_cluster(home) as connection:
        with connect(connection) as admin:
            admin.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'".encode())
            admin.execute(b"CREATE DATABASE scratch OWNER app")
        yield connection


def test_a_snapshot_is_restored_once_and_again_only_where_what_is_there_is_given_up(
    shop: ScratchPlatform, server: dict[str, Any]
) -> None:
    into = f"postgresql://app@/scratch?host={server['host']}&port={server['port']}"
    words = ("snapshot", "restore", "newest", "--into", into)
    first = shop.do(*words, "-o", "json", PGPASSWORD=PASSWORD)
    assert (first.json["tables"], first.json["owner"], first.json["database"]) == (2, "app", "scratch")
    assert "raw.orders: " in first.stderr
    with connect(server, "scratch") as session:
        assert session.execute(b"SELECT evtname FROM pg_event_trigger").fetchall() == []
    again = shop.run(*words, PGPASSWORD=PASSWORD)
    assert (again.status, "is not empty" in again.stderr) == (5, True), again.stderr
    unasked = shop.run(*words, "--clean", PGPASSWORD=PASSWORD)
    assert (unasked.status, "needs a confirmation" in unasked.stderr) == (2, True), unasked.stderr
    shop.do(*words, "--clean", "--yes", PGPASSWORD=PASSWORD)
    with connect(server, "scratch") as session:
        assert session.execute(b"SELECT count(*) FROM raw.orders").fetchone() == (50,)
        assert session.execute(b"SELECT count(*) FROM raw.orders WHERE customer LIKE 'Customer%'").fetchone() == (0,)


def test_a_password_that_everybody_could_read_is_refused_without_being_told(shop: ScratchPlatform) -> None:
    refused = shop.run("snapshot", "restore", "newest", "--into", f"postgresql://app:{PASSWORD}@localhost/x")
    assert (refused.status, PASSWORD in refused.stdout + refused.stderr) == (2, False)
    assert "~/.pgpass" in refused.stderr


def test_the_database_of_production_is_refused_however_it_is_reached(shop: ScratchPlatform) -> None:
    found = shop.do("env", "status", "production", "-o", "json").json["warehouse"]
    for into in (
        f"postgresql://postgres@127.0.0.1:{found['port']}/shop",
        f"host={found['dataDirectory']} port={found['port']} user=postgres dbname=postgres",
        f"port={found['port']} dbname=shop",
    ):
        refused = shop.run("snapshot", "restore", "newest", "--into", into, "--clean", "--yes")
        assert (refused.status, "production" in refused.stderr) == (5, True), refused.stderr
