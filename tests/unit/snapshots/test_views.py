"""Materialised views are filled from the rows that a snapshot has; one that fails on them is named, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from dataops.infra.errors import ResourceError
from dataops.infra.process.postgres_connection import connect
from dataops.snapshots.golden import ensure_golden
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.restore_into import restore_into
from dataops.snapshots.store import load_manifest
from dataops.snapshots.subsets.rules import parse_rules
from dataops.snapshots.target import open_target
from dataops.snapshots.without_rows import id_without_rows
from support.small_production import Production
from support.stored_snapshots import opened
from support.warehouses import Warehouse, warehouse

pytestmark = pytest.mark.slow

SCRIPT = """
CREATE TABLE people (id int PRIMARY KEY, age int);
INSERT INTO people SELECT n, n FROM generate_series(1, 100) AS n;
CREATE MATERIALIZED VIEW share AS SELECT 1000 / count(*) FILTER (WHERE age > 50) AS part FROM people;
CREATE MATERIALIZED VIEW a_reader AS SELECT part FROM share"""
KEPT = {"tables": {"public.people": {"keep": ["id", "age"]}}}
NUMBERS = count()
FEW = parse_rules(["people: id < 4"])


@pytest.fixture
def people(production: Production) -> Iterator[Warehouse]:
    name = f"viewed_{next(NUMBERS)}"  # so is the store
    with warehouse(production.connection, production.layout.home, name, SCRIPT, KEPT) as made:
        yield made


def into(made: Warehouse, manifest: Manifest) -> None:
    """Restores a snapshot into a database, which is empty again where that fails."""
    server = made.connection
    with connect(server) as admin:
        admin.execute("CREATE DATABASE viewed_into")
    try:
        dsn = f"postgresql://postgres@/viewed_into?host={server['host']}&port={server['port']}"
        with open_target(dsn, ()) as target:
            restore_into(opened(made.layout, manifest), target, emptied=False, tell=lambda progress: None)
    except ResourceError:
        with connect(server, "viewed_into") as session:
            assert session.execute("SELECT to_regclass('public.people')").fetchone() == (None,)
        raise
    finally:
        with connect(server) as admin:
            admin.execute("DROP DATABASE viewed_into WITH (FORCE)")


def golden(made: Warehouse, manifest: Manifest) -> None:
    """Makes a golden directory, of which nothing is left where that fails."""
    try:
        ensure_golden(manifest, made.layout)
    except ResourceError:
        assert [path for path in made.layout.golden.iterdir() if manifest.id in path.name and path.is_dir()] == []
        raise


def test_a_view_that_fails_on_the_rows_of_a_subset_is_named_with_what_to_do(people: Warehouse) -> None:
    whole, part = people.capture(), people.capture(subset=FEW)
    into(people, whole)
    for restore in (golden, into):
        with pytest.raises(ResourceError) as told:
            restore(people, part)
        said = told.value
        assert said.what.startswith(f"the materialised view public.share of the snapshot {part.id} cannot be filled")
        assert said.what.endswith("division by zero (22012)") and "take more rows" in (said.hint or "")
    with pytest.raises(ResourceError, match=r"public\.share .* cannot be filled"):
        golden(people, load_manifest(people.layout, id_without_rows(whole.id)))
    people.run(
        "DROP MATERIALIZED VIEW share CASCADE",
        "CREATE MATERIALIZED VIEW share AS SELECT 1000 / NULLIF(count(*) FILTER (WHERE age > 50), 0) FROM people",
    )
    into(people, people.capture(subset=FEW))


def test_a_view_that_reads_one_without_data_is_named_with_what_to_do(people: Warehouse) -> None:
    people.run("REFRESH MATERIALIZED VIEW share WITH NO DATA")
    with pytest.raises(ResourceError, match=r"the materialised view public\.a_reader of the snapshot") as told:
        into(people, people.capture())
    assert "has not been populated" in told.value.what and "fill the one that it reads" in (told.value.hint or "")
