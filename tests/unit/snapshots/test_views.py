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


def refused_everywhere(made: Warehouse, manifest: Manifest) -> list[ResourceError]:
    """What is said of a snapshot that cannot be restored, as a golden directory and into a database."""
    with pytest.raises(ResourceError) as golden:
        ensure_golden(manifest, made.layout)
    assert [path for path in made.layout.golden.iterdir() if manifest.id in path.name and path.is_dir()] == []
    with connect(made.connection) as admin:
        admin.execute("CREATE DATABASE viewed_into")
    try:
        server = made.connection
        dsn = f"postgresql://postgres@/viewed_into?host={server['host']}&port={server['port']}"
        with pytest.raises(ResourceError) as into, open_target(dsn, ()) as target:
            restore_into(opened(made.layout, manifest), target, emptied=False, tell=lambda progress: None)
        with connect(server, "viewed_into") as session:
            assert session.execute("SELECT to_regclass('public.people')").fetchone() == (None,)
    finally:
        with connect(made.connection) as admin:
            admin.execute("DROP DATABASE viewed_into WITH (FORCE)")
    return [golden.value, into.value]


def test_a_view_that_fails_on_the_rows_of_a_subset_is_named_with_what_to_do(people: Warehouse) -> None:
    whole, part = people.capture(), people.capture(subset=FEW)
    assert ensure_golden(whole, people.layout).tables == 1
    for told in refused_everywhere(people, part):
        assert told.what.startswith(f"the materialised view public.share of the snapshot {part.id} cannot be filled")
        assert told.what.endswith("division by zero (22012)") and "take more rows" in (told.hint or "")
    with pytest.raises(ResourceError, match=r"public\.share .* cannot be filled"):
        ensure_golden(load_manifest(people.layout, id_without_rows(whole.id)), people.layout)
    people.run(
        "DROP MATERIALIZED VIEW share CASCADE",
        "CREATE MATERIALIZED VIEW share AS SELECT 1000 / NULLIF(count(*) FILTER (WHERE age > 50), 0) FROM people",
    )
    mended = people.capture(subset=FEW)
    assert ensure_golden(mended, people.layout).tables == 1


def test_a_view_that_reads_one_without_data_is_named_with_what_to_do(people: Warehouse) -> None:
    people.run("REFRESH MATERIALIZED VIEW share WITH NO DATA")
    for told in refused_everywhere(people, people.capture()):
        assert "the materialised view public.a_reader of the snapshot" in told.what
        assert "has not been populated" in told.what and "fill the one that it reads" in (told.hint or "")
