"""Ways for personal data to get past the masking, each closed: tried with canaries and a control that finds them."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops.infra.errors import InternalError, VerificationError
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user
from dataops.snapshots.catalogue import read_catalogue
from dataops.snapshots.columns import ColumnMasking
from dataops.snapshots.masking.base import Family, Masker
from dataops.snapshots.masking.plain import KeepMasker
from dataops.snapshots.memory import Memory
from dataops.snapshots.plans import MaskedField, TablePlan
from dataops.snapshots.reader import Reader
from dataops.snapshots.rows import escape, mask_rows, unescape
from dataops.snapshots.source import _unchanged, open_source
from dataops.snapshots.tasks import Task
from dataops.snapshots.worker import Assignment, perform
from dataops.snapshots.workers import Workers
from dataops.snapshots.writer import DataWriter, Place
from support.small_production import DATABASE, POLICY, Production
from support.stored_snapshots import texts

pytestmark = pytest.mark.slow

HOSTILE = r"""
CREATE TABLE public.odd (
  id int PRIMARY KEY, a text, b citext, c varchar(70), d name, e text[], f jsonb, g numeric,
  shown text GENERATED ALWAYS AS (a || '!') STORED, virtual text GENERATED ALWAYS AS (a || '?') VIRTUAL,
  kept text
);
INSERT INTO public.odd (id, a, b, c, d, e, f, g, kept) VALUES
  (1, E'canary\ttab', E'canary\nline', 'canary\N', 'canary', '{canary,"c,d"}', '{"k": "canary"}', 4711, 'fine'),
  (2, E'canary\\', E'\\N', '', 'canary', '{}', 'null', 4711, E'\uFEFFmark'),
  (3, repeat('canary', 200000), NULL, E'canary\u00e9\u4e2d', NULL, NULL, NULL, NULL, NULL),
  (4, '', 'canary' || E'\r\n\b\f\v', E'\\.canary', NULL, NULL, '"canary"', NULL, E'\\.');
CREATE UNLOGGED TABLE public.quick (a text);
INSERT INTO public.quick VALUES ('canary');
CREATE TABLE public.child (more text) INHERITS (public.quick);
INSERT INTO public.child VALUES ('canary', 'canary');
CREATE SCHEMA other;
CREATE TABLE other.quick (a text);
INSERT INTO other.quick VALUES ('canary');
CREATE MATERIALIZED VIEW public.seen AS SELECT a FROM public.odd;
CREATE STATISTICS public.common (mcv) ON a, kept FROM public.odd;
ANALYZE public.odd;
"""
AWAY = "DROP TABLE public.odd, public.quick CASCADE; DROP SCHEMA other CASCADE"
NULLS = {"e": "null", "f": "null", "g": "null"}
RULES = {
    "public.odd": {"keep": ["id", "kept"], "a": "hash", "b": "hash", "c": "hash", "d": "text", **NULLS},
    "public.quick": {"a": "hash"},
    "public.child": {"a": "hash", "more": "text"},
    "other.quick": {"a": "hash"},
}


def with_rules(**tables: Any) -> dict[str, Any]:
    policy = copy.deepcopy(POLICY)
    policy["tables"].update(tables)
    return policy


@pytest.fixture
def hostile(production: Production) -> Iterator[Production]:
    with connect(production.connection, DATABASE) as admin:
        admin.execute(HOSTILE.encode())
        try:
            yield production.elsewhere("hostile-00000000")
        finally:
            admin.execute(AWAY.encode())


def test_no_odd_table_column_or_value_gets_past_the_masking(hostile: Production) -> None:
    manifest = hostile.capture(with_rules(**RULES))
    stored = texts(hostile.layout, manifest)
    assert [name for name, text in stored.items() if b"canary" in text.lower()] == []
    files = [path for path in hostile.layout.snapshots.rglob("*") if path.is_file()]
    assert [path for path in files if b"canary" in path.read_bytes().lower()] == []
    columns = manifest.tables["public.odd"].columns
    assert sorted(columns) == ["a", "b", "c", "d", "e", "f", "g", "id", "kept"]
    assert manifest.tables["public.quick"].rows == manifest.tables["public.child"].rows == 1
    lines = stored["tables/public.odd"].decode().split("\n")[:-1]
    rows = [dict(zip(columns, line.split("\t"), strict=True)) for line in lines]
    assert [row["kept"] for row in rows] == ["fine", "\ufeffmark", "\\N", "\\\\."]
    assert rows[2]["b"] == "\\N" != rows[1]["b"]
    control = hostile.capture(with_rules(**{**RULES, "public.quick": {"keep": ["a"]}}))
    assert any(b"canary" in text for text in texts(hostile.layout, control).values())


@pytest.mark.parametrize("table", ["public.child", "other.quick"])
def test_a_table_takes_no_rules_from_its_parent_or_namesake(hostile: Production, table: str) -> None:
    with pytest.raises(VerificationError, match=f"{table}.a has no masking rule"):
        hostile.capture(with_rules(**{name: rules for name, rules in RULES.items() if name != table}))


def test_a_name_that_no_rule_can_have_and_one_that_needs_quotes_are_told(hostile: Production) -> None:
    with connect(hostile.connection, DATABASE) as admin:
        admin.execute('CREATE TABLE public."Users" (a text); ALTER TABLE other.quick ADD "E-Mail: x" text')
        with pytest.raises(VerificationError) as caught:
            hostile.capture(with_rules(**RULES))
        admin.execute('DROP TABLE public."Users"')
    said = f"{caught.value.what}\n{caught.value.details}"
    assert "the table public.Users has a name that no rule can have" in said
    assert '        "E-Mail: x": hash' in said


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("ALTER TABLE public.odd ALTER kept SET DEFAULT 'ada@canary.org'", "the table public.odd"),
        ("ALTER TABLE public.odd ADD CHECK (kept <> 'ada@canary.org')", "the table public.odd"),
        ("CREATE VIEW public.v AS SELECT id FROM public.odd WHERE a = 'ada@canary.org'", "the view public.v"),
        ("COMMENT ON COLUMN public.odd.kept IS 'ask Ada, ada@canary.org.'", "the comment public.COLUMN odd.kept"),
        ("CREATE TYPE other.label AS ENUM ('ada@canary.org')", "the type other.label"),
        ("CREATE INDEX one ON public.odd (id) WHERE kept = 'ada@canary.org'", "the index public.one"),
        (
            "CREATE FUNCTION other.f() RETURNS text LANGUAGE sql AS $$ SELECT 'ada@canary.org' $$",
            "the function other.f()",
        ),
    ],
)
def test_a_schema_that_quotes_a_masked_value_stops_the_capture(hostile: Production, change: str, where: str) -> None:
    with connect(hostile.connection, DATABASE) as admin:
        admin.execute("INSERT INTO public.odd (id, a) VALUES (9, 'ada@canary.org')")
        admin.execute(change.encode())
        admin.execute("DROP MATERIALIZED VIEW public.seen; DROP TABLE public.child")
    rules = {name: rule for name, rule in RULES.items() if name != "public.child"}
    with pytest.raises(VerificationError) as caught:
        hostile.capture(with_rules(**rules))
    assert caught.value.what == f"the schema quotes a value of public.odd.a, which is masked, in {where}"
    assert "ada@" not in f"{caught.value.details} {caught.value.hint}"
    assert list(hostile.layout.snapshots.glob(".partial*")) == []


def test_columns_tables_and_schemas_that_swap_their_names_are_noticed(hostile: Production) -> None:
    server = hostile.connection
    swap = "ALTER TABLE {0} RENAME {1} TO x; ALTER TABLE {0} RENAME {2} TO {1}; ALTER TABLE {0} RENAME x TO {2}"
    with connect(server, DATABASE) as session, connect(server, DATABASE) as other:
        session.execute("SET search_path = ''")
        catalogue = read_catalogue(session)
        assert _unchanged(server, DATABASE, catalogue)
        other.execute(swap.format("public.odd", "a", "kept").encode())
        assert not _unchanged(server, DATABASE, catalogue)
        other.execute(swap.format("public.odd", "a", "kept").encode())
        with open_source(server, DATABASE, install_binaries(hostile.layout.home, server_user())) as source:
            source.check_unchanged()
            other.execute("ALTER SCHEMA other RENAME TO later")  # no lock of a table forbids it
            with pytest.raises(VerificationError, match="changed while it was captured"):
                source.check_unchanged()
            other.execute("ALTER SCHEMA later RENAME TO other")


def field(index: int = 0, masker: Masker | None = None) -> MaskedField:
    return MaskedField(index, "raw.x.y", "hash", Family.TEXT, masker or KeepMasker())


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.none()


@given(st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=1))
@settings(deadline=None)
def test_rows_come_out_of_copy_text_as_they_went_in(rows: list[list[str | None]]) -> None:
    assert all(unescape(escape(value)) == value for row in rows for value in row)
    batch = "".join("\t".join(map(escape, row)) + "\n" for row in rows).encode()
    columns = [ColumnMasking(field(index), Memory()) for index in range(3)]
    assert bytes(memoryview(mask_rows(batch, 3, columns)[1])) == batch
    single = "".join(escape(row[0]) + "\n" for row in rows).encode()
    assert bytes(memoryview(mask_rows(single, 1, columns[:1])[1])) == single


class Talkative(Masker):
    """Fails as a library would: with the value in the message."""

    def mask(self, value: str) -> str:
        raise ValueError(f"what is {value}?")


def test_an_unexpected_error_is_told_without_the_value_that_caused_it(production: Production, tmp_path: Path) -> None:
    binaries = install_binaries(production.layout.home, server_user())
    with open_source(production.connection, DATABASE, binaries) as source:
        table = next(table for table in source.catalogue.tables if table.label == "raw.passengers")
        plan = TablePlan(table, ("email",), (field(0, Talkative()),))
        assignment = Assignment(source.reader, tmp_path, Place(tmp_path, bytes(32)), (), {})
        with source.reader.session() as session, ThreadPoolExecutor(1) as settler:
            answer = perform(assignment, session, settler, Task(plan), Memory()).wait()
    assert isinstance(answer.error, InternalError)
    assert "ValueError in" in str(answer.error)
    assert "anary" not in f"{answer.error!r}{answer.error.details}{answer.error.__cause__}"


def test_a_worker_tells_nobody_its_keys_and_dies_with_whoever_started_it(production: Production) -> None:
    secret = {**production.connection, "password": "canary-password"}
    reader = Reader(secret, DATABASE, "x", install_binaries(production.layout.home, server_user()))
    assert "canary" not in repr(reader)
    assert "canary" not in repr(field())
    with Workers(1) as workers:
        (process,) = workers._processes
        told = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
        assert b"DATAOPS" not in told
        worker = psutil.Process(process.pid)
        while worker.rlimit(psutil.RLIMIT_CORE) != (0, 0):
            assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()  # as it is when the other end dies
        assert process.wait(30) != 0
        assert not worker.is_running()


def lake(tmp_path: Path, production: Production, name: str = "lake-00000000") -> Production:
    (tmp_path / "lake").mkdir()
    elsewhere = production.elsewhere(name)
    return Production(elsewhere.layout, production.connection, tmp_path / "lake")


def refused(production: Production, entry: dict[str, Any], match: str) -> None:
    policy = copy.deepcopy(POLICY)
    policy["lake"] = entry
    with pytest.raises(VerificationError, match=match):
        production.capture(policy)
    assert list(production.layout.snapshots.glob("[!.]*")) == []


def test_links_and_devices_in_the_lake_are_refused(production: Production, tmp_path: Path) -> None:
    own = lake(tmp_path, production)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.csv").write_text("canary")
    for make in (
        lambda path: path.symlink_to(tmp_path / "outside" / "x.csv"),
        lambda path: path.symlink_to(tmp_path / "outside"),
        os.mkfifo,
    ):
        make(own.lake / "x.csv")
        refused(own, {"x.csv": {}}, "is no object but a link or a device")
        (own.lake / "x.csv").unlink()


def test_an_object_is_not_copied_by_rules_for_columns_it_has_not(production: Production, tmp_path: Path) -> None:
    own = lake(tmp_path, production)
    (own.lake / "x.csv").write_text("id,email\n1,canary")
    refused(own, {"x.csv": {"keep": ["id"]}}, "only Parquet objects have columns")
    (own.lake / "x.csv").unlink()
    for name in ("x.PARQUET", "x.data"):
        pq.write_table(pa.table({"id": [1], "email": ["canary"]}), own.lake / name)
        refused(own, {name: {"keep": ["id"]}}, f"lake:{name}.email has no masking rule")
        (own.lake / name).unlink()


def test_an_object_that_is_replaced_after_its_columns_were_looked_at_is_refused(
    production: Production, tmp_path: Path
) -> None:
    from dataops.snapshots.hosts import HostSearch
    from dataops.snapshots.lake import capture_object
    from dataops.snapshots.plan_lake import plan_objects
    from dataops.snapshots.problems import Problems
    from support.small_production import platform

    own = lake(tmp_path, production)
    policy = {"tables": {}, "lake": {"x.parquet": {"keep": ["id"], "mail": "hash"}}}
    pq.write_table(pa.table({"id": ["1"], "mail": ["canary"]}), own.lake / "x.parquet")
    (plan,) = plan_objects(own.lake, platform(policy).masking, bytes(32), Problems())
    pq.write_table(pa.table({"mail": ["canary"], "id": ["1"]}), tmp_path / "y")
    (tmp_path / "y").rename(own.lake / "x.parquet")
    with pytest.raises(VerificationError, match="changed while it was captured"):
        with DataWriter(Place(tmp_path / "store", bytes(32)), rows=False) as writer:
            capture_object(own.lake, plan, writer, HostSearch(()), Memory())
    assert list((tmp_path / "store").glob("chunks/*")) == []


def test_remarks_and_statistics_of_parquet_and_nested_columns_do_not_leak(
    production: Production, tmp_path: Path
) -> None:
    own = lake(tmp_path, production, "remarks-00000000")
    people = pa.table(
        {
            "mail": ["canary@x.org", None],
            "nested": [{"name": "canary", "tags": ["canary"]}, None],
            "pairs": pa.array([[("canary", "canary")], None], pa.map_(pa.string(), pa.string())),
            "raw": pa.array([b"canary", None], pa.binary()),
            "large": pa.array(["canary", None], pa.large_string()),
            "worth": pa.array(["canary", "b"]).dictionary_encode(),
            "many": [["canary"], []],
        }
    )
    pq.write_table(people, own.lake / "people.parquet", write_page_index=True)
    remark = pa.field("x", pa.string(), metadata={"from": "canary"})
    pq.write_table(pa.table([["a"]], pa.schema([remark])), own.lake / "field.parquet")
    pq.write_table(pa.table({"x": ["a"]}).replace_schema_metadata({"pandas": "canary"}), own.lake / "file.parquet")
    policy = copy.deepcopy(POLICY)
    nulls = dict.fromkeys(("nested", "pairs", "raw", "many"), "null")
    policy["lake"] = {
        "people.parquet": {"mail": "email", "large": "hash", "worth": "hash", **nulls},
        "field.parquet": {"keep": ["x"]},
        "file.parquet": {"keep": ["x"]},
    }
    manifest = own.capture(policy)
    stored = {name.removeprefix("lake/"): text for name, text in texts(own.layout, manifest).items()}
    assert [name for name, text in stored.items() if b"canary" in text] == []
    readable = {path.name for path in own.lake.iterdir() if b"canary" in path.read_bytes()}
    assert readable == {"people.parquet", "file.parquet"}  # the third has it in base64
    assert pq.read_schema(own.lake / "field.parquet").field("x").metadata == {b"from": b"canary"}
    assert not pq.read_schema(pa.BufferReader(stored["field.parquet"])).field("x").metadata
    table = pq.read_table(pa.BufferReader(stored["people.parquet"]))
    assert table.schema == people.schema
    assert [table[name].null_count for name in table.column_names] == [1, 2, 2, 2, 1, 0, 2]
    assert manifest.masking["lake:people.parquet.nested"].changed == 1
    for name in ("field.parquet", "file.parquet"):
        assert pq.read_table(pa.BufferReader(stored[name])).to_pydict() == {"x": ["a"]}


def test_a_rule_that_a_column_of_an_object_cannot_take_is_refused(production: Production, tmp_path: Path) -> None:
    own = lake(tmp_path, production)
    schema = pa.schema([pa.field("must", pa.string(), nullable=False), pa.field("list", pa.list_(pa.string()))])
    pq.write_table(pa.table([["canary"], [["canary"]]], schema), own.lake / "x.parquet")
    refused(own, {"x.parquet": {"must": "null", "list": "null"}}, "the column is required")
    constant = {"rule": "constant", "value": "x"}
    refused(own, {"x.parquet": {"must": "hash", "list": constant}}, "a masked value is no list")
