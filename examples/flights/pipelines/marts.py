"""Builds the marts anew, in one transaction: one file of SQL for each table."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
from psycopg import sql

from pipelines.report import report

MARTS = ("delays_by_carrier_hour", "weather_effects")


def main() -> None:
    """Replaces the tables of `marts` and reports their rows."""
    rows = {}
    with psycopg.connect(os.environ["WAREHOUSE_URL"]) as connection:
        for name in MARTS:
            table = sql.Identifier("marts", name)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
            connection.execute((Path(__file__).parent / "sql" / f"{name}.sql").read_bytes())
            rows[f"marts.{name}"] = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()[0]
    report(rows)


if __name__ == "__main__":
    main()
