"""Ten thousand planted personal values: none is found in anything that a capture, a restore or a clone leaves behind.

Everything below the snapshots lies on a disk of its own, which writes at once what it is given. It is searched as a
whole, byte by byte, so that files count that were removed long ago. A column that is kept must be found by the same
search in each place.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.process import postgres_server
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.golden import Golden, ensure_golden
from support.pools import left_out, whole_disk
from support.postgres import FAST, open_directory, throwaway_cluster
from support.small_production import DATABASE, Production
from support.stored_snapshots import all_texts
from support.traces import forms, unpacked

pytestmark = pytest.mark.slow

PEOPLE = 2500
NAME, MAIL, PHONE, DETAIL, FILED = "Zörnwäld-Q", "zoernwald.q", "+49 7734509", "detailzoern.q", "filedzoern.q"
"""How the values of each kind begin; nothing that masking makes begins so."""

KEPT = "kept-as-it-is-q"
PLANTED = (NAME, MAIL, PHONE, DETAIL, FILED)
POLICY: dict[str, Any] = {
    "tables": {
        "raw.people": {
            "keep": ["id", "remark"],
            "name": "name",
            "email": "email",
            "phone": "phone",
            "details": {
                "rule": "json",
                "paths": {"mail": "email", "more.names": "name", "n": "keep", "more.n": "keep"},
            },
        }
    },
    "lake": {"raw/people.parquet": {"keep": ["id", "remark"], "email": "email", "name": "name"}},
}


def plant(connection: dict[str, Any], lake: Path) -> None:
    """People with a name, an address, a number, and addresses in JSON and in Parquet: four times 2,500 and more."""
    with connect(connection) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE}".encode())
    with connect(connection, DATABASE) as admin:
        admin.execute(b"CREATE SCHEMA raw")
        admin.execute(
            b"CREATE TABLE raw.people (id int PRIMARY KEY, remark text, name text, email text UNIQUE, phone text,"
            b" details jsonb)"
        )
        admin.execute(
            f"""
            INSERT INTO raw.people
            SELECT n, '{KEPT}' || n, '{NAME}' || n, '{MAIL}' || n || '@example.org', '{PHONE}' || lpad(n::text, 4, '0'),
                   jsonb_build_object('n', n, 'mail', '{DETAIL}' || n || '@example.org',
                                      'more', jsonb_build_object('n', n, 'names', '{NAME}' || n))
            FROM generate_series(1, {PEOPLE}) n
            """.encode()
        )
    numbers = range(1, PEOPLE + 1)
    (lake / "raw").mkdir(parents=True)
    table = pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "remark": [f"{KEPT}{n}" for n in numbers],
            "email": [f"{FILED}{n}@example.org" for n in numbers],
            "name": [f"{NAME}{n}" for n in numbers],
        }
    )
    pq.write_table(table, lake / "raw" / "people.parquet", compression="zstd")


@dataclass(frozen=True)
class Course:
    """A snapshot of what was planted, its golden directory on a disk of its own, and a clone that was at work."""

    source: Production
    layout: PlatformLayout
    image: Path
    golden: Golden
    clone: Path
    told: str

    def heap(self) -> bytes:
        """All rows of the clone, as its server gives them."""
        user = server_user()
        binaries = install_binaries(self.layout.home, user)
        with (
            postgres_server.temporary_server(self.clone, binaries, user, settings=FAST) as server,
            connect(server, DATABASE) as session,
        ):
            return b"\n".join(str(row[0]).encode() for row in session.execute(b"SELECT p::text FROM raw.people p"))


if not left_out():

    @contextmanager
    def disk() -> Iterator[tuple[Path, Path]]:
        with open_directory() as folder, whole_disk(folder, 1500) as image:
            yield folder, image

    @pytest.fixture(scope="module")
    def course() -> Iterator[Course]:
        with open_directory() as away, throwaway_cluster(away, "cluster") as connection, disk() as (folder, image):
            plant(connection, away / "lake")
            before, tempfile.tempdir = tempfile.tempdir, str(folder)
            try:
                source = Production(PlatformLayout(folder, "shop-00000000"), connection, away / "lake")
                told: list[str] = []
                manifest = source.capture(POLICY, progress=told.append)
                golden = ensure_golden(manifest, source.layout)
                clone = folder / "clone"
                postgres_server.clone(golden.data_directory, clone)
                said = at_work(clone, source.layout)
                yield Course(source, source.layout, image, golden, clone, "\n".join([*told, said]))
            finally:
                tempfile.tempdir = before

    def at_work(clone: Path, layout: PlatformLayout) -> str:
        """Changes every row of a clone and makes a mistake that its log quotes; gives the log."""
        user = server_user()
        settings = {**FAST, "logging_collector": False, "log_min_messages": "info", "full_page_writes": True}
        log = clone.with_name(f"{clone.name}.log")
        binaries = install_binaries(layout.home, user)
        with postgres_server.temporary_server(clone, binaries, user, settings=settings) as at:
            with connect(at, DATABASE) as session:
                session.execute(b"CHECKPOINT")
                session.execute(
                    b"UPDATE raw.people SET remark = remark || '.', name = name || '.', email = email || '.'"
                )
                session.execute(b"UPDATE raw.people SET phone = phone || '.', details = details || '{\"seen\": true}'")
                for column in ("remark", "email", "name", "phone", "details"):
                    with contextlib.suppress(psycopg.errors.InvalidTextRepresentation):
                        session.execute(f"SELECT {column}::text::int FROM raw.people WHERE id = 7".encode())
            return log.read_text(encoding="utf-8", errors="replace")

    def found_in(pieces: Iterator[bytes] | list[bytes]) -> set[str]:
        """Which kinds of values, the kept one included, begin somewhere in some bytes, in any form."""
        kinds = {kind: forms(kind) for kind in (*PLANTED, KEPT)}
        return {
            kind
            for piece in pieces
            for inner in unpacked(piece)
            for kind, wanted in kinds.items()
            if any(form in inner for form in wanted)
        }

    def test_production_holds_what_was_planted_and_the_search_finds_it(course: Course) -> None:
        with connect(course.source.connection, DATABASE) as session:
            rows = [str(row[0]).encode() for row in session.execute(b"SELECT p::text FROM raw.people p")]
        assert found_in([b"\n".join(rows)]) == {NAME, MAIL, PHONE, DETAIL, KEPT}
        assert found_in([str(read(course.source.lake / "raw" / "people.parquet")).encode()]) == {FILED, NAME, KEPT}
        assert sum(row.count(kind.encode()) for row in rows for kind in PLANTED) >= 10_000

    def read(path: Path) -> Any:
        return pq.read_table(path).to_pylist()

    def test_none_is_in_the_store(course: Course) -> None:
        texts = all_texts(course.layout)
        assert found_in(list(texts.values())) == {KEPT}
        lake = course.golden.lake_directory / "raw" / "people.parquet"
        assert found_in([str(read(lake)).encode(), lake.read_bytes()]) == {KEPT}

    def test_none_is_in_the_rows_of_a_clone(course: Course) -> None:
        assert found_in([course.heap()]) == {KEPT}

    def test_none_is_in_the_log_that_a_clone_writes_ahead(course: Course) -> None:
        assert found_in([path.read_bytes() for path in (course.clone / "pg_wal").iterdir() if path.is_file()]) == {KEPT}

    def test_none_is_in_what_was_told_and_logged(course: Course) -> None:
        assert found_in([course.told.encode()]) == {KEPT}

    def written(image: Path) -> Iterator[bytes]:
        """What a sparse image holds, without the parts that nothing was ever written to."""
        with open(image, "rb") as file:
            size, end = os.fstat(file.fileno()).st_size, 0
            while end < size:
                try:
                    begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
                except OSError:
                    return  # nothing but a hole is left
                end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
                file.seek(begin)
                yield file.read(end - begin)

    def test_none_was_ever_written_to_the_disk(course: Course) -> None:
        kinds, found = {kind: forms(kind) for kind in (*PLANTED, KEPT)}, set()
        for part in written(course.image):
            found |= {kind for kind, wanted in kinds.items() if any(form in part for form in wanted)}
        assert found == {KEPT}
