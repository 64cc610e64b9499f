"""Made-up rows: the same for the same seed, of the right types, with unique keys and references that lead somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops.envs.synthetic.fill import fill
from dataops.envs.synthetic.rows import make_rows
from dataops.envs.synthetic.shapes import ColumnShape, Reference, TableShape
from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.masking import Masking
from dataops.infra.platform.model import Platform
from dataops.infra.platform.verification import SyntheticData
from dataops.infra.process.postgres_connection import connect
from support.postgres import open_directory, throwaway_cluster

NUMBER = ColumnShape("id", "int4", required=True)
PEOPLE = TableShape("raw.people", (NUMBER, ColumnShape("email", "text", required=True)), (("id",), ("email",)))
VISITS = TableShape(
    "raw.visits",
    (ColumnShape("person", "int4"), ColumnShape("day", "date", required=True), ColumnShape("cost", "numeric")),
    (("person", "day"),),
    (Reference(("person",), "raw.people", ("id",)),),
)
SHAPES = {"raw.visits": VISITS, "raw.people": PEOPLE}
POLICY = Masking.model_validate({"tables": {"raw.people": {"id": "keep", "email": "email"}}})


def rows(told: dict[str, Any] | None = None, seed: int = 1, shapes: dict[str, TableShape] = SHAPES) -> Any:
    return make_rows(shapes, SyntheticData.model_validate(told or {"rows": 60}), POLICY, seed)


@given(st.integers(0, 2**31))
def test_keys_are_unique_and_references_lead_to_rows_that_are_there(seed: int) -> None:
    made = rows(seed=seed)
    people = made["raw.people"]
    assert len({row["id"] for row in people}) == len({row["email"] for row in people}) == 60
    assert {row["person"] for row in made["raw.visits"]} <= {row["id"] for row in people} | {None}
    keys = [(v["person"], v["day"]) for v in made["raw.visits"] if v["person"] is not None]
    assert len(keys) == len(set(keys))


def test_the_seed_decides_and_a_new_column_changes_no_other() -> None:
    assert rows(seed=3) == rows(seed=3) != rows(seed=4)
    wider = TableShape(PEOPLE.name, (*PEOPLE.columns, ColumnShape("note", "text")), PEOPLE.unique)
    before, after = rows()["raw.people"], rows(shapes={"raw.people": wider})["raw.people"]
    assert before == [{name: row[name] for name in ("id", "email")} for row in after]


def test_columns_look_like_what_masking_says_they_are() -> None:
    assert all(row["email"].endswith("@example.com") for row in rows()["raw.people"])


def test_what_is_said_of_a_column_holds() -> None:
    told = {
        "rows": 200,
        "tables": {"raw.people": 5},
        "columns": {"raw.visits": {"cost": {"from": 5, "to": 7, "nulls": "50%"}, "person": {"nulls": 0}}},
    }
    made = rows(told)
    costs = [row["cost"] for row in made["raw.visits"]]
    assert len(made["raw.people"]) == 5
    assert all(5 <= cost <= 7 for cost in costs if cost is not None) and 60 < costs.count(None) < 140
    words = {"columns": {"raw.people": {"email": {"values": ["a", "b"]}}}}
    assert {row["email"] for row in rows(words)["raw.people"]} == {"a", "b"}, "as many as can be unique"


def test_a_type_that_nothing_is_known_of_is_named() -> None:
    odd = {"raw.odd": TableShape("raw.odd", (ColumnShape("shape", "polygon", required=True),))}
    with pytest.raises(ConfigurationError, match=r"raw\.odd.*polygon"):
        rows(shapes=odd)
    optional = {"raw.odd": TableShape("raw.odd", (ColumnShape("shape", "polygon"),))}
    assert rows(shapes=optional)["raw.odd"][0] == {"shape": None}


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    with open_directory() as home, throwaway_cluster(home, "cluster") as connection:
        yield connection


@pytest.mark.slow
def test_a_warehouse_and_its_lake_get_the_same_rows_and_marts_stay_empty(
    server: dict[str, Any], tmp_path: Path
) -> None:
    platform = Platform.model_validate(
        {
            "apiVersion": "dataops/v1",
            "name": "shop",
            "stores": {"warehouse": {"database": "postgres", "schemas": ["raw", "marts"]}},
            "pipelines": {
                "sums": {
                    "steps": [
                        {
                            "name": "sum",
                            "run": ["true"],
                            "inputs": ["warehouse:raw.people"],
                            "outputs": ["warehouse:marts.sums"],
                        }
                    ]
                }
            },
            "masking": {
                "tables": {"raw.people": {"keep": ["id", "mood", "born", "seen", "codes"], "email": "email"}},
                "lake": {"raw/people.parquet": {"like": "raw.people"}},
            },
        }
    )
    with connect(server) as session:
        session.execute(
            """CREATE SCHEMA raw; CREATE SCHEMA marts; CREATE TYPE raw.mood AS ENUM ('glad', 'sad');
            CREATE TABLE raw.people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email varchar(20) UNIQUE,
              mood raw.mood NOT NULL, born date, seen timestamptz NOT NULL, codes int[] NOT NULL,
              boss int REFERENCES raw.people, age int GENERATED ALWAYS AS (id * 2) STORED);
            CREATE TABLE marts.sums (total int)"""
        )
    assert fill(server, "postgres", tmp_path, platform, seed=5) == {"raw.people": 200}
    with connect(server) as session:
        found = session.execute("SELECT id, email FROM raw.people ORDER BY id").fetchall()
        assert session.execute("SELECT count(*) FROM marts.sums").fetchone() == (0,)
        session.execute("INSERT INTO raw.people (mood, seen, codes) VALUES ('sad', now(), '{}')")
        assert session.execute("SELECT max(id) FROM raw.people").fetchone() == (201,), "the sequence goes on"
        session.execute("ALTER TABLE raw.people VALIDATE CONSTRAINT people_boss_fkey")
    table = pq.read_table(tmp_path / "raw" / "people.parquet")
    assert table.select(["id", "email"]).to_pylist() == [{"id": id_, "email": email} for id_, email in found]
    assert table.column_names == ["id", "email", "mood", "born", "seen", "codes"], "the columns that rules name"
