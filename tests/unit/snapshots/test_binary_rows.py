"""Rows of a snapshot are loaded in binary, and arrive as if the server had read the text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataops.infra.errors import VerificationError
from dataops.infra.process.postgres_connection import connect
from dataops.snapshots.binary_rows import (
    TypedColumn,
    asking,
    binary_rows,
    encoded,
    is_worthwhile,
    together,
    typed_columns,
)
from dataops.snapshots.binary_values import ENCODINGS
from dataops.snapshots.golden import ensure_golden
from support.postgres import open_directory
from support.small_production import Production, copy_text, running_clone
from support.warehouses import Warehouse, warehouse

MADE = "CREATE TYPE mood AS ENUM ('so so', 'a\tb'); CREATE DOMAIN money2 AS numeric(12, 2) CHECK (value < 1e9)"
moments = st.datetimes().map(lambda moment: moment.isoformat(" "))
numbers = st.one_of(
    st.decimals(allow_nan=False).map(str),
    st.decimals(min_value=-(10**9), max_value=10**9, places=3).map(str),
    st.integers(-(10**40), 10**40).map(str),
    st.sampled_from(["NaN", "0", "0.0000", "-0.00001", "10000", "9999.9999", "1e-200", "1e300"]),
)
plain = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
TYPES: dict[str, st.SearchStrategy[str]] = {
    "bool": st.sampled_from(["t", "f"]),
    "int2": st.integers(-(2**15), 2**15 - 1).map(str),
    "int4": st.integers(-(2**31), 2**31 - 1).map(str),
    "int8": st.integers(-(2**63), 2**63 - 1).map(str),
    "oid": st.integers(0, 2**32 - 1).map(str),
    "float4": st.floats(width=32).map(repr),
    "float8": st.floats().map(repr),
    "numeric": numbers,
    "numeric(12, 2)": st.decimals(min_value=-(10**9), max_value=10**9, places=2).map(str),
    "money2": st.decimals(min_value=-(10**9), max_value=10**8, places=3).map(str),
    "text": plain,
    "varchar(5)": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
    "char(4)": st.text(st.sampled_from("a \\ä"), max_size=4),
    "json": st.text().map(json.dumps),
    "jsonb": st.dictionaries(plain, st.floats(allow_nan=False, allow_infinity=False)).map(json.dumps),
    "mood": st.sampled_from(["so so", "a\tb"]),
    "bytea": st.binary().map(lambda some: "\\x" + some.hex()),
    "uuid": st.uuids().map(str),
    "date": st.one_of(st.dates().map(str), st.sampled_from(["infinity", "0044-03-15 BC", "12026-01-01"])),
    "time": st.one_of(st.times().map(str), st.just("24:00:00")),
    "timestamp": st.one_of(moments, st.sampled_from(["-infinity", "0044-03-15 12:00:00.5 BC"])),
    "timestamptz": st.one_of(moments.map("{} UTC".format), st.just("infinity")),
}
COLUMNS = [f"c{number}" for number in range(len(TYPES))]
USUAL = {
    "bool": "t", "int2": "-7", "int4": "7", "int8": "70", "oid": "7", "float4": "0.1", "float8": "-1e-9",
    "text": "\\ä\n",
    "numeric": "-1234567.80001", "numeric(12, 2)": "0.05", "money2": "2.50", "varchar(5)": "abc", "char(4)": "ab",
    "json": '{"a": "\\n"}', "jsonb": '{"a": "\\n"}', "mood": "a\tb", "bytea": "\\x00ff", "date": "2026-02-28",
    "uuid": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "time": "23:59:59.5", "timestamp": "1888-01-02 03:04:05.000006",
    "timestamptz": "2026-01-02 03:04:05.6+00",
}  # fmt: skip
UNUSUAL = {
    "numeric": "NaN", "float4": "Infinity", "float8": "-Infinity", "date": "infinity", "time": "24:00:00",
    "timestamp": "0044-03-15 00:00:00 BC", "timestamptz": "infinity",
}  # fmt: skip


class Pair:
    """Two tables with a column of every type, one loaded from text and one in binary."""

    def __init__(self, source: Warehouse) -> None:
        self.connection = source.connection
        self.connect = partial(connect, source.connection, source.database)
        self.asked: list[str] = []

    def load(self, rows: list[tuple[str | None, ...]]) -> None:
        """Fills both with the same rows."""
        self.asked.clear()
        with self.connect() as session, asking(self.connect) as ask:
            session.execute("SET timezone = 'UTC'")
            session.execute("TRUNCATE by_text, by_binary")
            places = ", ".join(f"%s::{kind}" for kind in TYPES)
            session.cursor().executemany(f"INSERT INTO by_text VALUES ({places})".encode(), rows)
            with session.cursor() as cursor, cursor.copy("COPY by_text TO STDOUT") as copy:
                text = b"".join(bytes(piece) for piece in copy)
            typed = typed_columns(session, "by_binary", COLUMNS)
            assert typed is not None

            def told(column: TypedColumn, values: list[bytes | None]) -> list[bytes | None]:
                self.asked.append(column.type)
                return ask(column, values)

            with session.cursor() as cursor, cursor.copy("COPY by_binary FROM STDIN (FORMAT binary)") as copy:
                for piece in binary_rows([text], typed, told):
                    copy.write(piece)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """What a table has, in the order it was loaded: its text and its bytes."""
        sizes = ", ".join(f"pg_column_size({column})" for column in COLUMNS)
        with self.connect() as session:
            return session.execute(f"SELECT t::text, {sizes} FROM {table} t ORDER BY ctid".encode()).fetchall()


@pytest.fixture(scope="module")
def pair(production: Production) -> Iterator[Pair]:
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS, TYPES, strict=True))
    made = f"{MADE}; CREATE TABLE by_text ({columns}); CREATE TABLE by_binary ({columns})"
    with warehouse(production.connection, production.layout.home, "binary", made, {}) as source:
        yield Pair(source)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*(st.none() | values for values in TYPES.values())), min_size=1, max_size=20))
def test_every_value_arrives_as_if_the_server_had_read_it(pair: Pair, rows: list[tuple[str | None, ...]]) -> None:
    pair.load(rows)
    assert pair.rows("by_binary") == pair.rows("by_text")


@pytest.mark.slow
def test_usual_values_are_encoded_without_the_server(pair: Pair) -> None:
    usual: list[tuple[str | None, ...]] = [tuple(USUAL[kind] for kind in TYPES), (None,) * len(TYPES)]
    pair.load(usual)
    assert pair.asked == []
    assert pair.rows("by_binary") == pair.rows("by_text")


@pytest.mark.slow
def test_what_only_the_server_can_encode_it_is_asked_for_column_by_column(pair: Pair) -> None:
    rows: list[tuple[str | None, ...]] = [
        tuple(kinds.get(kind, USUAL[kind]) for kind in TYPES) for kinds in (USUAL, UNUSUAL, USUAL)
    ]
    pair.load(rows)
    assert sorted(pair.asked) == sorted(UNUSUAL)
    assert pair.rows("by_binary") == pair.rows("by_text")


@pytest.mark.slow
def test_a_large_table_arrives_byte_for_byte(production: Production) -> None:
    made = """
    CREATE TABLE known AS SELECT n AS id, n / 7.0 AS part, n % 2 = 0 AS even,
      repeat(md5(n::text), 6) || CASE n % 9 WHEN 0 THEN E'\\t' ELSE '' END AS note,
      CASE WHEN n % 9 > 0 THEN timestamptz '2026-01-01 UTC' + n * interval '7.5 s' END AS at
      FROM generate_series(1, 90000) n;
    ALTER TABLE known ADD PRIMARY KEY (id);
    CREATE INDEX ON known (note);
    CREATE INDEX ON known (at);
    CREATE TABLE other AS SELECT id, note, n AS span FROM known, LATERAL (SELECT int4range(id, id + 1) AS n) r"""
    keep = {
        "public.known": {"keep": ["id", "part", "note", "even", "at"]},
        "public.other": {"keep": ["id", "note", "span"]},
    }
    with (
        warehouse(production.connection, production.layout.home, "large", made, {"tables": keep}) as source,
        open_directory() as folder,
    ):
        with connect(source.connection, "large") as session:
            assert typed_columns(session, "known", ["note", "id", "part", "even", "at"])
            assert typed_columns(session, "other", ["id", "note", "span"]) is None
        text = copy_text(source.connection, "SELECT * FROM known", "large")
        assert is_worthwhile([len(text)], text, 5)
        manifest = source.capture()
        assert min(entry.bytes for entry in manifest.tables.values()) > 16 << 20
        with running_clone(ensure_golden(manifest, source.layout), folder) as clone:
            for query in ("SELECT * FROM known ORDER BY id", "SELECT * FROM other ORDER BY id"):
                assert copy_text(clone, query, "large") == copy_text(source.connection, query, "large")
            with connect(clone, "large") as session:
                indexes = session.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'known'").fetchall()
                assert len(indexes) == 3
                frozen = session.execute("SELECT relfrozenxid FROM pg_class WHERE relname = 'known'").fetchone()
                assert frozen is not None


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("bytea", [b"\\\\x1", b"\\\\x1"]),
        ("bytea", [b"\\\\x1x", b"\\\\x11"]),
        ("bytea", [b"deadbeef"]),
        ("uuid", [b"6f9619ff-8b86-d011-b42d-00cf4fc964f-", b"6f9619ff-8b86-d011-b42d-00cf4fc964fff"]),
        ("uuid", [b"6f9619ff8b86-d011-b42d-00cf4fc9-64ff"]),
        ("uuid", [b"6f9619ff-8b86-d011-b42d-00cf4fc964f "]),
        ("float4", [b"1e39"]),
        ("numeric", [b"1e5"]),
        ("numeric", [b"1-2"]),
        ("numeric", [b"-1", b"1.2.3"]),
        ("numeric", [b"-", b"1"]),
        ("numeric", [b"."]),
        ("int2", [b"32768"]),
        ("bool", [b"yes"]),
    ],
)
def test_values_that_postgres_would_not_write_are_left_to_the_server(kind: str, fields: list[bytes]) -> None:
    asked: list[bytes | None] = []

    def ask(column: TypedColumn, values: list[bytes | None]) -> list[bytes | None]:
        asked.extend(values)
        return values

    encoded(b"".join(field + b"\n" for field in fields), [TypedColumn("a", kind, kind, "send")], ask)
    assert asked == [field.replace(b"\\\\", b"\\") for field in fields]


def test_tables_are_encoded_that_are_large_and_have_short_values_with_few_escapes() -> None:
    sizes, short = [4 << 20] * 4, b"12\t\\N\tsome text\n" * 1000
    assert is_worthwhile(sizes, short, 3)
    assert not is_worthwhile(sizes[1:], short, 3)
    assert not is_worthwhile([*sizes, 100 << 20], short, 3)
    assert not is_worthwhile(sizes, b"12\t\\N\t" + b"text" * 1000 + b"\n", 3)
    assert not is_worthwhile(sizes, b"12\t\\N\tsome\\ttext\n" * 1000, 3)
    assert not is_worthwhile([], b"", 3)


def test_rows_are_encoded_some_megabytes_at_a_time() -> None:
    assert list(together([b"a\n"] * 3)) == [b"a\n" * 3]
    half = b"x" * (3 << 20) + b"\n"
    assert list(together([half] * 3)) == [half * 2, half]
    assert list(together([])) == []


def test_a_row_with_too_few_fields_is_refused_and_not_quoted() -> None:
    columns = [TypedColumn("a", "text", "text", "textsend"), TypedColumn("b", "text", "text", "textsend")]
    with pytest.raises(VerificationError) as caught:
        encoded(b"secret\n", columns, lambda column, values: values)
    assert "secret" not in str(caught.value) and caught.value.__suppress_context__
    assert {column.type for column in columns} <= set(ENCODINGS)
