"""The pipeline of this platform on made-up rows: `pytest`, in this folder.

`platform`, `warehouse`, `lake` and `replica` come from the plugin of dataops. Each test has a warehouse and a lake of
its own; `verification.synthetic` in dataops.yaml says what their rows look like.
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from dataops.infra.errors import ProgramError
from dataops.testing.pipelines import TestedPlatform
from dataops.testing.replica import TestedReplica
from dataops.testing.stores import TestedLake, TestedWarehouse

TABLES = ("airlines", "airports", "planes", "weather", "flights", "passengers", "bookings")
LATE = 15
"""Minutes after which a departure is late."""


def delays(lake: TestedLake) -> dict[tuple[str, int], tuple[int, int, float | None]]:
    """Flights, cancelled ones and the late percentage by carrier and hour, worked out without SQL."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for flight in lake.read("raw/flights.parquet").to_pylist():
        found[flight["carrier"], flight["hour"]].append(flight)
    return {
        key: (
            len(flights),
            sum(flight["dep_time"] is None for flight in flights),
            round(100 * sum((flight["dep_delay"] or 0) > LATE for flight in flights) / len(flights), 2),
        )
        for key, flights in found.items()
    }


def test_load_brings_every_row_of_the_lake_into_the_warehouse(
    platform: TestedPlatform, warehouse: TestedWarehouse, lake: TestedLake
) -> None:
    warehouse.query("TRUNCATE " + ", ".join(f"raw.{name}" for name in TABLES))
    platform.run("flights", steps=["load"], warehouse=warehouse, lake=lake)
    for name in ("airlines", "weather", "flights", "passengers", "bookings"):
        assert warehouse.query(f"SELECT count(*) FROM raw.{name}") == [(lake.read(f"raw/{name}.parquet").num_rows,)]


def test_load_may_be_run_again(platform: TestedPlatform, warehouse: TestedWarehouse, lake: TestedLake) -> None:
    first = platform.run("flights", steps=["load"], warehouse=warehouse, lake=lake)
    assert platform.run("flights", steps=["load"], warehouse=warehouse, lake=lake).rows == first.rows


def test_bookings_of_flights_that_nobody_knows_are_refused(
    platform: TestedPlatform, warehouse: TestedWarehouse, lake: TestedLake
) -> None:
    flights = lake.read("raw/flights.parquet")
    lake.write("raw/flights.parquet", flights.slice(0, 0))
    with pytest.raises(ProgramError) as failed:
        platform.run("flights", steps=["load"], warehouse=warehouse, lake=lake)
    assert "bookings_flight_fkey" in (failed.value.details or "")


def test_delays_are_told_by_carrier_and_hour(
    platform: TestedPlatform, warehouse: TestedWarehouse, lake: TestedLake
) -> None:
    platform.run("flights", steps=["load", "marts"], warehouse=warehouse, lake=lake)
    rows = warehouse.query("SELECT carrier, hour, flights, cancelled, late_percent FROM marts.delays_by_carrier_hour")
    assert {(carrier, hour): (count, gone, float(late)) for carrier, hour, count, gone, late in rows} == delays(lake)


def test_every_flight_has_its_weather_or_is_of_unknown_weather(
    platform: TestedPlatform, warehouse: TestedWarehouse, lake: TestedLake
) -> None:
    platform.run("flights", steps=["load", "marts"], warehouse=warehouse, lake=lake)
    conditions = dict(warehouse.query("SELECT condition, sum(flights)::int FROM marts.weather_effects GROUP BY 1"))
    assert sum(conditions.values()) == lake.read("raw/flights.parquet").num_rows
    assert conditions.keys() <= {"fog", "heavy rain", "rain", "wind", "fair", "unknown"} and len(conditions) > 2


def test_a_change_that_breaks_a_mart_is_found(
    platform: TestedPlatform, warehouse: TestedWarehouse, lake: TestedLake, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    shutil.copytree(platform.folder, code, ignore=shutil.ignore_patterns("tests", ".dataops", "__pycache__"))
    query = code / "pipelines" / "sql" / "delays_by_carrier_hour.sql"
    query.write_text(query.read_text(encoding="utf-8").replace("dep_delay > 15", "departure_delay > 15"))
    with pytest.raises(ProgramError) as failed:
        platform.with_code(code).run("flights", steps=["load", "marts"], warehouse=warehouse, lake=lake)
    assert 'column "departure_delay" does not exist' in (failed.value.details or "")


def test_no_test_sees_what_another_wrote(warehouse: TestedWarehouse, lake: TestedLake) -> None:
    assert warehouse.query("SELECT to_regclass('marts.weather_effects')") == [(None,)]
    assert lake.read("raw/flights.parquet").num_rows == 400


def test_extract_brings_all_flights_of_2013_and_leaves_people_alone(replica: TestedReplica) -> None:
    (step,) = replica.run("flights", step="extract").steps
    assert step.rows["raw/flights.parquet"] == 336_776
    assert "raw/passengers.parquet" not in step.rows, "a replica does not reach the booking system"


def test_the_service_tells_the_delays_of_a_carrier(replica: TestedReplica) -> None:
    replica.run("flights", step="marts")
    ((carrier, count),) = replica.warehouse.query(
        "SELECT carrier, count(*) FROM marts.delays_by_carrier_hour GROUP BY 1 ORDER BY 1 LIMIT 1"
    )
    with urllib.request.urlopen(f"{replica.services['delays-api']}/delays?carrier={carrier}", timeout=10) as response:
        assert len(json.load(response)["delays"]) == count
