"""A small web service over the mart of delays: a page to read, JSON to use, and a health check."""

from __future__ import annotations

import html
import json
import os
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg.rows import dict_row

COLUMNS = "carrier, carrier_name, hour, flights, cancelled, mean_delay::float8, p90_delay, late_percent::float8"
BY_CARRIER = f"SELECT {COLUMNS} FROM marts.delays_by_carrier_hour WHERE carrier = %s ORDER BY hour"
WORST = f"SELECT {COLUMNS} FROM marts.delays_by_carrier_hour WHERE flights >= 100 ORDER BY mean_delay DESC LIMIT 20"
CARRIERS = "SELECT DISTINCT carrier, carrier_name FROM marts.delays_by_carrier_hour ORDER BY carrier"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Delays</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
 body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }}
 table {{ border-collapse: collapse; width: 100%; }}
 th, td {{ text-align: right; padding: .25rem .5rem; border-bottom: 1px solid #ccc; }}
 th:first-child, td:first-child {{ text-align: left; }}
</style></head><body>
<h1>Departure delays, New York 2013</h1>
<p>Environment <strong>{environment}</strong>. The hours with the longest mean delay, for at least 100 flights.
JSON for one carrier: {carriers}.</p>
<table><thead><tr><th>Carrier</th><th>Hour</th><th>Flights</th><th>Mean delay</th><th>90th percentile</th>
<th>Late departures</th></tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


def query(statement: str, *parameters: str) -> list[dict[str, Any]]:
    """The rows of a statement, each as a mapping."""
    with psycopg.connect(os.environ["WAREHOUSE_URL"], connect_timeout=5, row_factory=dict_row) as connection:
        return connection.execute(statement.encode(), parameters or None).fetchall()


def index() -> str:
    """The page."""
    carriers = ", ".join(
        f'<a href="/delays?carrier={html.escape(row["carrier"])}" title="{html.escape(row["carrier_name"])}">'
        f"{html.escape(row['carrier'])}</a>"
        for row in query(CARRIERS)
    )
    rows = "\n".join(
        f"<tr><td>{html.escape(row['carrier_name'])}</td><td>{row['hour']}:00</td><td>{row['flights']}</td>"
        f"<td>{row['mean_delay']:.1f} min</td><td>{row['p90_delay']} min</td><td>{row['late_percent']:.1f} %</td></tr>"
        for row in query(WORST)
    )
    environment = html.escape(os.environ.get("DATAOPS_ENVIRONMENT", "unknown"))
    return PAGE.format(environment=environment, carriers=carriers, rows=rows)


class Handler(BaseHTTPRequestHandler):
    """Answers `/`, `/delays?carrier=UA` and `/healthz`."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        try:
            self._answer(url.path, parse_qs(url.query))
        except psycopg.errors.UndefinedTable:
            self._json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "there are no delays yet: run the pipeline `flights`"})
        except psycopg.Error:
            self._json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "the warehouse does not answer"})

    def _answer(self, path: str, parameters: dict[str, list[str]]) -> None:
        if path == "/healthz":
            query("SELECT 1 AS up")
            self._json(HTTPStatus.OK, {"status": "ok"})
        elif path == "/":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", index())
        elif path != "/delays":
            self._json(HTTPStatus.NOT_FOUND, {"error": "there is only /, /delays?carrier= and /healthz"})
        elif not (carrier := parameters.get("carrier", [""])[0]):
            self._json(HTTPStatus.BAD_REQUEST, {"error": "name a carrier, as /delays?carrier=UA"})
        elif rows := query(BY_CARRIER, carrier.upper()):
            self._json(HTTPStatus.OK, {"carrier": carrier.upper(), "delays": rows})
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": f"no flights of a carrier {carrier[:8]}"})

    def _json(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(document) + "\n")

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serves on the loopback port that `PORT` names until it is told to end."""
    with ThreadingHTTPServer((os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])), Handler) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
