"""Loads the lake's raw objects into the warehouse, in one transaction: readers see all of it or what was before."""

from __future__ import annotations

import io
import os
from pathlib import Path

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from pipelines.lake import Lake
from pipelines.report import report

TABLES = ("airlines", "airports", "planes", "weather", "flights", "passengers", "bookings")
FLIGHT = "year, month, day, carrier, flight, origin, sched_dep_time"

CONSTRAINTS = (
    ("flights", "flights_pkey", f"PRIMARY KEY ({FLIGHT})"),
    ("passengers", "passengers_pkey", "PRIMARY KEY (passenger_id)"),
    ("passengers", "passengers_email_key", "UNIQUE (email)"),
    ("passengers", "passengers_passport_number_key", "UNIQUE (passport_number)"),
    ("bookings", "bookings_pkey", "PRIMARY KEY (booking_id)"),
    ("bookings", "bookings_reference_key", "UNIQUE (reference)"),
    ("flights", "flights_carrier_fkey", "FOREIGN KEY (carrier) REFERENCES raw.airlines"),
    ("flights", "flights_tailnum_fkey", "FOREIGN KEY (tailnum) REFERENCES raw.planes"),
    ("flights", "flights_origin_fkey", "FOREIGN KEY (origin) REFERENCES raw.airports"),
    ("flights", "flights_dest_fkey", "FOREIGN KEY (dest) REFERENCES raw.airports"),
    ("weather", "weather_origin_fkey", "FOREIGN KEY (origin) REFERENCES raw.airports"),
    ("bookings", "bookings_passenger_fkey", "FOREIGN KEY (passenger_id) REFERENCES raw.passengers"),
    ("bookings", "bookings_flight_fkey", f"FOREIGN KEY ({FLIGHT}) REFERENCES raw.flights"),
)
"""Checked once, when all rows are there, which is many times faster than row by row."""

STUBBED = {
    "flights whose plane is a stub": "SELECT count(*) FROM raw.flights JOIN raw.planes USING (tailnum) WHERE stub",
    "flights whose destination is a stub": (
        "SELECT count(*) FROM raw.flights JOIN raw.airports ON airports.faa = flights.dest WHERE stub"
    ),
}


def main() -> None:
    """Replaces the tables of `raw` and reports their rows."""
    lake = Lake()
    folder = Path(__file__).parent / "sql"
    with psycopg.connect(os.environ["WAREHOUSE_URL"]) as connection:
        connection.execute((folder / "tables.sql").read_bytes())
        for table, name, _ in reversed(CONSTRAINTS):
            connection.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(_raw(table), sql.Identifier(name))
            )
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(_raw, TABLES))))
        rows = {f"raw.{name}": copy_into(connection, name, lake.read(f"raw/{name}.parquet")) for name in TABLES}
        connection.execute((folder / "stubs.sql").read_bytes())
        for table, name, definition in CONSTRAINTS:
            connection.execute(
                sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                    _raw(table), sql.Identifier(name), sql.SQL(definition)
                )
            )
        for what, query in STUBBED.items():
            print(f"{what}: {connection.execute(query.encode()).fetchone()[0]}", flush=True)
        for name in ("planes", "airports"):
            rows[f"raw.{name}"] = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(_raw(name))).fetchone()[
                0
            ]
    report(rows)


def copy_into(connection: psycopg.Connection, name: str, table: pa.Table) -> int:
    """Copies a table's rows, as CSV that is made and sent in pieces, and returns how many they were."""
    columns = sql.SQL(", ").join(map(sql.Identifier, table.column_names))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(_raw(name), columns)
    options = csv.WriteOptions(include_header=False)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in table.to_batches(max_chunksize=50_000):
            piece = io.BytesIO()
            csv.write_csv(batch, piece, options)
            copy.write(piece.getbuffer())
    return table.num_rows


def _raw(table: str) -> sql.Identifier:
    return sql.Identifier("raw", table)


if __name__ == "__main__":
    main()
