"""Large objects come along under their numbers, by the rules for them, and nothing of them without a rule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dataops.infra.errors import ConfigurationError, VerificationError
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.classify import classify
from dataops.snapshots.golden import ensure_golden
from dataops.snapshots.large_objects import OBJECTS, PAGES
from dataops.snapshots.manifest import Manifest
from dataops.snapshots.restore_into import restore_into
from dataops.snapshots.store import load_manifest, reading
from dataops.snapshots.subsets.rules import parse_rules
from dataops.snapshots.target import open_target
from dataops.snapshots.without_rows import id_without_rows
from support.postgres import open_directory
from support.small_production import Production, platform, running_clone
from support.stored_snapshots import opened
from support.warehouses import Warehouse, warehouse

pytestmark = pytest.mark.slow

SCRIPT = """
CREATE TABLE photos (id int PRIMARY KEY, bytes oid);
SELECT lo_from_bytea(70000 + n, 'canary' || decode(string_agg(md5(n || ' ' || i), ''), 'hex'))
FROM generate_series(1, 40) AS n, generate_series(1, 400 * n) AS i GROUP BY n;
INSERT INTO photos SELECT n, 70000 + n FROM generate_series(1, 40) AS n;
SELECT lo_create(70100);
SELECT lo_put(70101, 3000001, 'behind a hole') FROM lo_create(70101);
COMMENT ON LARGE OBJECT 70001 IS 'of person1@corp.example'"""
PHOTOS: dict[str, Any] = {"public.photos": {"keep": ["id", "bytes"]}}
KEPT: dict[str, Any] = {"tables": {**PHOTOS, OBJECTS: {"comment": "keep"}, PAGES: {"data": "keep"}}}
ALL = """SELECT oid, md5(lo_get(oid)), length(lo_get(oid)), obj_description(oid, 'pg_largeobject')
FROM pg_largeobject_metadata ORDER BY 1"""
OWNERS = "SELECT DISTINCT pg_get_userbyid(lomowner) FROM pg_largeobject_metadata"


@pytest.fixture(scope="module")
def album(production: Production) -> Iterator[Warehouse]:
    with warehouse(production.connection, production.layout.home, "album", SCRIPT, KEPT) as made:
        yield made


def under(album: Warehouse, masking: dict[str, Any], store: str) -> Warehouse:
    """The same database, by other rules and with a store of its own."""
    made = album.elsewhere(store)
    return Warehouse(made.layout, made.connection, made.database, masking)


def ask(connection: dict[str, Any], query: str, database: str) -> list[tuple[Any, ...]]:
    with connect(connection, database) as session:
        return session.execute(query.encode()).fetchall()


@contextmanager
def album_into(server: dict[str, Any]) -> Iterator[str]:
    """The DSN of an empty database."""
    with connect(server) as admin:
        admin.execute("CREATE DATABASE album_into")
    try:
        yield f"postgresql://postgres@/album_into?host={server['host']}&port={server['port']}"
    finally:
        with connect(server) as admin:
            admin.execute("DROP DATABASE album_into WITH (FORCE)")


def restored(album: Warehouse, manifest: Manifest, query: str, times: int = 1) -> list[tuple[Any, ...]]:
    """What a database answers into which a snapshot was restored so often."""
    with album_into(album.connection) as dsn:
        with reading(album.layout.snapshots, manifest, album.layout.keys) as snapshot:
            for number in range(times):
                with open_target(dsn, ()) as target:
                    restore_into(snapshot, target, emptied=number > 0, tell=lambda progress: None)
        return ask(album.connection, query, "album_into")


def test_large_objects_that_may_be_kept_arrive_byte_for_byte_under_their_numbers(album: Warehouse) -> None:
    told: list[str] = []
    manifest = album.capture(range_bytes=64 << 10, progress=told.append, production_hosts=("db.corp.example",))
    assert [one.where for one in manifest.unsearched] == [PAGES]
    pages = album.run("SELECT count(*) FROM pg_largeobject")
    assert [(manifest.tables[OBJECTS].rows,), (manifest.tables[PAGES].rows,)] == [(42,), *pages]
    assert sum(line.startswith(PAGES) for line in told) > 5, "they were not read in ranges"
    before, golden = album.run(ALL), ensure_golden(manifest, album.layout)
    with open_directory() as folder, running_clone(golden, folder) as clone:
        assert ask(clone, ALL, "album") == before and len(before) == 42
        assert ask(clone, OWNERS, "album") == [("warehouse_owner",)]


def test_a_second_capture_stores_only_the_large_objects_that_changed(album: Warehouse) -> None:
    twice = under(album, KEPT, "twice-00000000")
    first = twice.capture()
    with connect(album.connection, "album") as session:
        session.execute("SELECT lo_put(70040, 100, 'another')")
        try:
            second = twice.capture()
        finally:
            session.execute("SELECT lo_put(70040, 100, substr(lo_get(70039), 101, 7))")
    assert twice.added(second) < 0.1 * first.tables[PAGES].data.stored
    assert second.tables[PAGES].data.hash != first.tables[PAGES].data.hash


def test_large_objects_without_a_rule_stop_a_capture_and_the_rules_to_add_are_printed(album: Warehouse) -> None:
    unruled = under(album, {"tables": PHOTOS}, "unruled-00000000")
    with pytest.raises(VerificationError, match=f"{PAGES}.data has no masking rule") as told:
        unruled.capture()
    lines = str(told.value.details).splitlines()
    place = lines.index(f"      {PAGES}:")
    assert lines[place + 1].strip() == "data: null    # or `keep`"
    assert lines[place + 2 : place + 4] == [f"      {OBJECTS}:", "        comment: hash    # or `keep`"]
    moved = {**KEPT["tables"], PAGES: {"data": "keep", "loid": "digits"}}
    with pytest.raises(VerificationError, match="loid says where data belong: it is always kept"):
        under(album, {"tables": moved}, "unruled-00000000").capture()


def test_rules_for_large_objects_are_proposed(album: Warehouse, production: Production) -> None:
    binaries = install_binaries(production.layout.home, server_user())
    policy = platform({"tables": PHOTOS}).policy
    found = classify(policy, album.connection, "album", album.layout.home / "no-lake", binaries)
    assert {(one.missing.owner, one.missing.name): one.rule for one in found} == {
        (PAGES, "data"): "null",
        (OBJECTS, "comment"): "{class: free_text}",
    }


@pytest.mark.parametrize(("rule", "content"), [("null", None), ({"rule": "constant", "value": "none"}, b"none")])
def test_large_objects_are_masked_by_their_rules(album: Warehouse, rule: object, content: bytes | None) -> None:
    masking = {"tables": {**PHOTOS, OBJECTS: {"comment": "email"}, PAGES: {"data": rule}}}
    masked = under(album, masking, f"masked-{'null' if content is None else 'word'}-00000000")
    manifest = masked.capture()
    assert manifest.masking[f"{PAGES}.data"].changed == manifest.tables[PAGES].rows
    assert b"canary" not in b"".join(opened(masked.layout, manifest).read(f"tables/{PAGES}"))
    first = "SELECT oid, lo_get(oid, 0, 100), obj_description(oid, 'pg_largeobject') FROM pg_largeobject_metadata"
    rows = restored(masked, manifest, f"{first} WHERE oid IN (70001, 70002, 70100) ORDER BY 1")
    assert [row[0] for row in rows] == [70001, 70002, 70100]
    assert [bytes(row[1])[:4] for row in rows] == [content or b"", content or b"", b""]
    assert "person1" not in rows[0][2] and rows[1][2] is None


def test_a_schema_without_rows_has_no_large_objects_and_a_subset_those_that_are_asked_for(album: Warehouse) -> None:
    own = under(album, KEPT, "part-00000000")
    with pytest.raises(ConfigurationError, match="it would take parts of large objects"):
        own.capture(subset=parse_rules([f"{PAGES}:5%"]))
    photos = "SELECT bytes FROM public.photos WHERE id IN (2, 3)"
    manifest = own.capture(subset=parse_rules(["photos: id IN (2, 3)", f"{PAGES}: loid IN ({photos})"]))
    empty = load_manifest(own.layout, id_without_rows(manifest.id))
    assert restored(own, empty, ALL) == []
    whole, some = album.run(ALL), restored(own, manifest, ALL)
    assert [row[0] for row in some] == [row[0] for row in whole], "a number leads nowhere"
    assert [row for row in some if row[2]] == [row for row in whole if row[0] in (70002, 70003)]


def test_large_objects_are_restored_in_place_of_those_that_a_database_had(album: Warehouse) -> None:
    own = under(album, KEPT, "into-00000000")
    assert restored(own, own.capture(), ALL, times=2) == album.run(ALL)


def test_large_objects_that_the_reader_may_not_read_are_told(album: Warehouse) -> None:
    album.run("CREATE ROLE album_reader LOGIN PASSWORD 'album'", "GRANT SELECT ON photos TO album_reader")
    try:
        reader = {**album.connection, "user": "album_reader", "password": "album"}
        told = under(album, {"tables": PHOTOS}, "reader-00000000").reached(reader).capture().left_out
        assert "42 large objects, since album_reader may not read pg_catalog.pg_largeobject" in told
    finally:
        album.run("DROP OWNED BY album_reader", "DROP ROLE album_reader")
