"""Rules that look at the rest of the row, within documents and within nested columns."""

from __future__ import annotations

import io
import json
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dataops.infra.errors import VerificationError
from dataops.infra.platform.masking import Masking, MaskingRule
from dataops.infra.platform.paths import join_path, split_path
from dataops.snapshots.columns import ColumnMasking
from dataops.snapshots.hosts import HostSearch
from dataops.snapshots.masking.base import Family, Masker, UnmaskableError
from dataops.snapshots.masking.choose import describe, masker_for
from dataops.snapshots.memory import Memory
from dataops.snapshots.parquet import columns_of, rewrite
from dataops.snapshots.plans import MaskedField
from dataops.snapshots.policy import plan_columns
from dataops.snapshots.problems import Problems
from dataops.snapshots.rows import escape, mask_rows

KEY = bytes(range(32))
ADAPTER: TypeAdapter[Any] = TypeAdapter(MaskingRule)
SHIFT = {"rule": "date_shift", "days": 60, "by": "who"}


def masker(rule: Any, family: Family = Family.TEXT) -> Masker:
    found = masker_for(ADAPTER.validate_python(rule), family, KEY)
    assert found is not None
    return found


def field(index: int, rule: Any, family: Family, *beside: int) -> MaskedField:
    parsed = ADAPTER.validate_python(rule)
    return MaskedField(index, f"raw.t.c{index}", describe(parsed), family, masker(rule, family), beside=beside)


def masked(rows: list[tuple[str | None, ...]], *fields: MaskedField) -> list[list[str]]:
    text = "".join("\t".join(map(escape, row)) + "\n" for row in rows)
    memory = Memory()
    columns = [ColumnMasking(own, memory) for own in fields]
    done = bytes(mask_rows(text.encode(), len(rows[0]), columns)[1]).decode()
    return [line.split("\t") for line in done.split("\n")[:-1]]


days = st.dates(date(1950, 1, 1), date(2030, 1, 1)).map(date.isoformat)


@given(st.lists(st.tuples(st.sampled_from(["1", "2", "3", None]), days, days), min_size=1))
@settings(deadline=None)
def test_dates_of_one_person_move_alike_so_that_the_time_between_them_stays(rows: list[Any]) -> None:
    fields = [field(place, SHIFT, Family.DATE, 0) for place in (1, 2)]
    shifts: dict[str, set[timedelta]] = {}
    for row, (who, *moved) in zip(rows, masked(rows, *fields), strict=True):
        own = [date.fromisoformat(new) - date.fromisoformat(old) for new, old in zip(moved, row[1:], strict=True)]
        assert all(1 <= abs(shift.days) <= 60 for shift in own)
        if row[0] is not None:
            shifts.setdefault(who, set()).update(own)
    assert all(len(own) == 1 for own in shifts.values())


def test_whom_a_date_tells_of_may_be_masked_too_and_is_called_otherwise_elsewhere() -> None:
    row = ("7", "2001-02-03", "2001-03-03")
    keep = masked([row], field(1, SHIFT, Family.DATE, 0), field(2, SHIFT, Family.DATE, 0))[0]
    both = masked([row], field(0, "digits", Family.INTEGER), field(1, SHIFT, Family.DATE, 0))[0]
    other = masked([row], field(1, {**SHIFT, "by": "customer"}, Family.DATE, 0))[0]
    assert keep[1] == both[1] == other[1]
    assert both[0] != "7"


def test_free_text_loses_addresses_numbers_and_the_names_of_its_row() -> None:
    text = "Ada LOVELACE (ada@x.org, +44 20 7946 0000) paid 4111 1111 1111 1111 from DE89370400440532013000 in 1843"
    rows: list[Any] = [("Ada Lovelace", text), (None, "Adamant"), ("Ada Lovelace", None)]
    found = [row[1] for row in masked(rows, field(0, "name", Family.TEXT), field(1, "redact", Family.TEXT, 0))]
    assert found == ["[name] ([email], [phone]) paid [card] from [account] in [number]", "Adamant", "\\N"]


def test_an_error_tells_column_and_row_and_not_the_value() -> None:
    rows: list[Any] = [(f"A{number}", f"B{number}") for number in range(50)]
    rows[41] = ("canary!é", "x")
    with pytest.raises(VerificationError) as caught:
        masked(rows, field(0, "fpe", Family.TEXT))
    assert "raw.t.c0 cannot be masked with `fpe(alphabet=upper_digits)`" in caught.value.what
    assert "first in row 42 as they were read" in caught.value.what
    assert "canary" not in f"{caught.value} {caught.value.details}"


DOCUMENT = {
    "mail": "canary@x.org",
    "items": [{"note": "canary", "price": 1.50}, {"note": None}],
    "people": {"canary1": {"phone": "+49 30 1234567"}},
    "n": 12345678901234567890123,
    "flag": True,
}
PATHS = {
    "mail": "email",
    "items[].note": "text",
    "items[].price": "keep",
    "people.*.phone": "phone",
    "n": "keep",
    "flag": "keep",
}


def test_a_document_is_masked_path_by_path_and_keeps_its_shape() -> None:
    rule = {"rule": "json", "paths": PATHS}
    text = masker(rule, Family.JSON).mask(json.dumps(DOCUMENT)) or ""
    found = json.loads(text)
    assert "canary" not in text
    assert found["mail"] == masker("email").mask("canary@x.org")
    assert found["items"] == [{"note": "[redacted]", "price": 1.5}, {"note": None}]
    assert list(found["people"]) == [masker("hash").mask("canary1")]
    assert found["n"] == DOCUMENT["n"]
    assert '"price": 1.5' in text


def test_a_path_that_no_rule_names_stops_and_the_rule_to_add_is_told() -> None:
    rule = {"rule": "json", "paths": {"mail": "email"}}
    with pytest.raises(UnmaskableError) as caught:
        masker(rule, Family.JSON).mask(json.dumps(DOCUMENT))
    assert caught.value.add == (
        '"flag": null',
        '"items[].note": hash',
        '"items[].price": null',
        '"n": digits',
        '"people.canary1.phone": hash',
    )
    with pytest.raises(VerificationError) as told:
        masked([(json.dumps(DOCUMENT),)], field(0, rule, Family.JSON))
    assert "          paths:" in (told.value.details or "")
    silent = {"rule": "json", "paths": {"mail": "email"}, "unlisted": None}
    assert "canary" not in (masker(silent, Family.JSON).mask('{"mail": "canary@x", "canary@y": {"z": "canary"}}') or "")


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(documents)
@settings(deadline=None)
def test_any_document_that_is_kept_means_the_same_and_any_other_hides_its_texts(document: Any) -> None:
    text = json.dumps(document)
    kept = masker({"rule": "json", "paths": {}, "unlisted": "keep"}, Family.JSON).mask(text)
    assert json.loads(kept or "") == document
    hidden = masker({"rule": "json", "paths": {}, "unlisted": "null"}, Family.JSON).mask(text)
    assert json.loads(hidden or "") is None or isinstance(json.loads(hidden or ""), (list, dict))


@given(st.lists(st.sampled_from(["[]", "*"]) | st.text(min_size=1, max_size=4), min_size=1, max_size=5))
def test_a_path_is_written_so_that_it_is_read_again(parts: list[str]) -> None:
    assert split_path(join_path(tuple(parts))) == tuple(parts)


NESTED = pa.table(
    {
        "who": pa.array([{"mail": "canary@x.org", "age": 7}, None, {"mail": None, "age": 9}]),
        "tags": pa.array([["canary", "b"], None, []]),
        "by": pa.array([[("canary", "canary")], [], None], pa.map_(pa.string(), pa.string())),
        "deep": pa.array([[{"x": ["canary"]}], [None], None]),
        "pair": pa.array([["canary", "b"], None, ["c", "d"]], pa.list_(pa.string(), 2)),
    }
)
LISTED = {
    "who.mail": "email",
    "who.age": "keep",
    "tags[]": "hash",
    '"by[].key"': "hash",
    "by[].value": "text",
    "deep[].x[]": "hash",
    "pair[]": "hash",
}


def test_each_part_of_a_nested_column_needs_a_rule_and_is_masked_by_it() -> None:
    problems = Problems()
    plan_columns("x.parquet", columns_of(NESTED.schema), Masking(lake={}), KEY, problems)
    assert [missing.name for missing in problems.missing] == [name.strip('"') for name in LISTED]
    rules = {name.strip('"'): rule for name, rule in LISTED.items()}
    policy = Masking.model_validate({"lake": {"x.parquet": rules}})
    problems = Problems()
    fields = plan_columns("x.parquet", columns_of(NESTED.schema), policy, KEY, problems)
    assert problems.found == []
    source = io.BytesIO()
    pq.write_table(NESTED, source)
    source.seek(0)
    memory = Memory()
    target = io.BytesIO()
    rewrite(source, target, [ColumnMasking(own, memory) for own in fields], "lake:x.parquet", HostSearch(()))
    found = pq.read_table(io.BytesIO(target.getvalue()))
    assert found.schema == NESTED.schema
    rows = found.to_pylist()
    assert "canary" not in str(rows)
    assert rows[0]["who"] == {"mail": masker("email").mask("canary@x.org"), "age": 7}
    assert rows[0]["tags"] == [masker("hash").mask("canary"), masker("hash").mask("b")]
    assert rows[0]["by"] == [(masker("hash").mask("canary"), "[redacted]")]
    assert rows[0]["deep"] == [{"x": rows[0]["tags"][:1]}]
    assert rows[1] == {"who": None, "tags": None, "by": [], "deep": [None], "pair": None}
    assert rows[2]["who"] == {"mail": None, "age": 9}


def test_a_rule_on_the_whole_of_a_nested_column_covers_its_parts() -> None:
    policy = Masking.model_validate({"lake": {"x.parquet": {"keep": ["who", "tags", "by", "pair"], "deep": "null"}}})
    problems = Problems()
    fields = plan_columns("x.parquet", columns_of(NESTED.schema), policy, KEY, problems)
    assert problems.found == []
    assert [own.label for own in fields] == ["lake:x.parquet.deep"]
