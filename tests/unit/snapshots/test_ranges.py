"""Large tables are captured in ranges by several workers: as if one had read them, and equal ones stored once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops.infra.errors import VerificationError
from dataops.infra.process.postgres_connection import connect
from dataops.snapshots.catalogue import SourceTable
from dataops.snapshots.chunks import ChunkRef
from dataops.snapshots.contents import Contents, decode, encode
from dataops.snapshots.ranges import WHOLE, Range, ranges_of
from support.older_postgres import older_cluster, older_postgres
from support.postgres import open_directory
from support.small_production import Production, copy_text
from support.stored_snapshots import check, opened, texts
from support.warehouses import PEOPLE, POLICY, Warehouse, warehouse

KEPT = {"tables": {"public.people": {"keep": ["id", "name", "mail", "age", "note", "changed"]}}}


def table(pages: int, more: int = 0) -> SourceTable:
    return SourceTable(1, "raw", "a", "raw.a", pages * 8192 + more, 1, (), pages)


@given(st.integers(0, 1 << 14), st.integers(0, 1 << 30), st.integers(13, 26), st.sampled_from([130000, 140000]))
@settings(deadline=None)
def test_ranges_cover_a_table_and_begin_where_those_of_another_size_do(
    pages: int, more: int, size: int, version: int
) -> None:
    ranges = ranges_of(table(pages, more), 1 << size, version)
    assert ranges[0].first == 0
    assert all(one.end == following.first for one, following in zip(ranges, ranges[1:], strict=False))
    assert ranges[-1].end is None or ranges[-1].end >= pages
    if len(ranges) > 1:
        step = ranges[1].first
        assert step & (step - 1) == 0
        assert [one.first for one in ranges] == list(range(0, pages, step))
        assert step * (pages * 8192 + more) <= pages * (1 << size) or step == 1


def test_a_table_without_a_heap_is_read_at_once() -> None:
    assert ranges_of(table(0, 1 << 40), 1 << 20, 180000) == (WHOLE,)


def test_chunks_of_ranges_are_found_by_their_place() -> None:
    refs = tuple(ChunkRef(bytes([n]) * 32, n, n) for n in range(6))
    contents = Contents({"tables/a": refs, "tables/b": refs[:2]}, {"tables/a": ((0, 3), (64, 1), (128, 2))})
    assert decode(encode(contents)) == contents
    assert contents.within("tables/a") == refs
    assert contents.within("tables/a", 0, 64) == refs[:3]
    assert contents.within("tables/a", 64, 128) == refs[3:4]
    assert contents.within("tables/a", 96, 128) == refs[3:4]
    assert contents.within("tables/a", 128) == contents.within("tables/a", 256) == refs[4:]
    assert contents.within("tables/b", 64) == refs[:2]
    assert contents.within("tables/c") == ()


@pytest.fixture(scope="module")
def people(production: Production) -> Iterator[Warehouse]:
    home = production.layout.home
    with warehouse(production.connection, home, "people", PEOPLE.format(rows=60_000), KEPT) as made:
        yield made


@pytest.mark.slow
def test_a_table_in_ranges_is_the_same_text_in_the_same_order_whoever_reads_it(people: Warehouse) -> None:
    whole = people.capture(jobs=1)
    divided = people.capture(jobs=3, range_bytes=1 << 19)
    ranges = opened(people.layout, divided).contents.ranges["tables/public.people"]
    assert len(ranges) > 5 and opened(people.layout, whole).contents.ranges == {}
    label = "tables/public.people"
    found = texts(people.layout, divided)[label]
    assert found == copy_text(people.connection, "SELECT * FROM people", people.database)
    assert found == texts(people.layout, whole)[label]
    assert divided.tables["public.people"].rows == 60_000
    assert divided.tables["public.people"].bytes == len(found)
    again = people.capture(jobs=2, range_bytes=1 << 19)
    assert again.tables == divided.tables
    assert opened(people.layout, again).contents.parts[label] == opened(people.layout, divided).contents.parts[label]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "change"),
    [
        ("changed", "UPDATE people SET changed = changed + 1 WHERE id % 100 = 7"),
        (
            "added",
            "INSERT INTO people SELECT i, 'More ' || i, i || '@corp.example', 1, md5(i::text), 0"
            " FROM generate_series(100001, 100600) AS i",
        ),
        ("removed", "DELETE FROM people WHERE id % 100 = 9"),
    ],
)
def test_one_row_in_a_hundred_changed_adds_at_most_three_hundredths_and_the_chunk_of_the_last_rows(
    production: Production, how: str, change: str
) -> None:
    home = production.layout.home
    with warehouse(production.connection, home, how, PEOPLE.format(rows=60_000), POLICY) as made:
        first = made.capture(range_bytes=1 << 20)
        stored = made.added(first)
        # rows that are new stand together at the end, where no difference is worth its while
        most = max(ref.stored for ref in opened(made.layout, first).contents.parts["tables/public.people"])
        made.run(change)
        second = made.capture(range_bytes=1 << 20)
        assert made.added(second) <= 0.03 * stored + most
        check(made.layout, second)


@pytest.mark.slow
def test_ranges_see_one_moment_while_rows_move_about(production: Production) -> None:
    home, ending = production.layout.home, threading.Event()
    with warehouse(production.connection, home, "restless", PEOPLE.format(rows=20_000), KEPT) as made:

        def write() -> None:
            with connect(made.connection, made.database) as session:
                while not ending.is_set():  # every state that is committed has the same sum
                    session.execute("UPDATE people SET changed = changed + 1 WHERE id % 50 = 0")
                    session.execute("UPDATE people SET changed = changed - 1, age = age WHERE id % 50 = 0")
                    with session.transaction():
                        session.execute("DELETE FROM people WHERE id % 97 = 3 AND id % 50 <> 0")
                        session.execute(
                            "INSERT INTO people SELECT i, 'Person ' || i, 'x', 1, 'x', 0"
                            " FROM generate_series(1, 20000) AS i WHERE i % 97 = 3 AND i % 50 <> 0"
                        )

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(3):
                manifest = made.capture(jobs=2, range_bytes=1 << 18)
                rows = texts(made.layout, manifest)["tables/public.people"].splitlines()
                assert sorted(int(row.split(b"\t")[0]) for row in rows) == list(range(1, 20_001))
                assert {row.split(b"\t")[5] for row in rows if int(row.split(b"\t")[0]) % 50 == 0} in ({b"0"}, {b"1"})
        finally:
            ending.set()
            writer.join()


@pytest.mark.slow
def test_a_value_that_cannot_be_masked_is_told_by_its_place_in_the_range(production: Production) -> None:
    home = production.layout.home
    keep = ["id", "name", "mail", "age", "changed"]
    rules = {"tables": {"public.people": {"keep": keep, "note": {"rule": "fpe", "alphabet": "hex"}}}}
    with warehouse(production.connection, home, "odd", PEOPLE.format(rows=20_000), rules) as made:
        made.run("UPDATE people SET note = 'nowhere' WHERE id = 20000")
        with pytest.raises(VerificationError, match=r"first in row [\d,]+ from page [\d,]+ on") as raised:
            made.capture(range_bytes=1 << 18)
        assert "nowhere" not in str(raised.value)


if programs := older_postgres():

    @pytest.mark.slow
    @pytest.mark.parametrize("version", [130000, 150000])
    def test_an_older_server_reads_the_same_pages(version: int) -> None:
        assert programs is not None
        parts = [Range(0, 16), Range(16, 32), Range(32, 1 << 12)]
        with open_directory() as folder, older_cluster(programs, folder) as connection:
            with warehouse(connection, folder, "older", PEOPLE.format(rows=5_000)) as made:
                queries = [f"SELECT id FROM ONLY people WHERE {part.condition(version)}" for part in parts]
                found = [made.run("SET enable_seqscan = off", query) for query in queries]
                assert all(found[:2])
                assert [row for part in found for row in part] == made.run("SELECT id FROM people")
                for query in queries[:2]:
                    plan = made.run("SET enable_seqscan = off", f"EXPLAIN {query}")
                    assert any("Tid" in line for (line,) in plan)
