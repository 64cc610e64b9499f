"""A small, valid platform file for tests, and ways to spoil it."""

from __future__ import annotations

from pathlib import Path

PLATFORM_TEXT = """\
apiVersion: dataops/v1
name: shop
stores:
  warehouse:
    kind: postgres
    database: shop
    schemas: [raw, marts]
  lake:
    kind: objects
pipelines:
  sales:
    schedule: {cron: "0 5 * * *", timezone: UTC}
    steps:
      - name: extract
        run: [python, -m, pipelines.extract]
        outputs: ["lake:raw/orders.csv"]
      - name: load
        run: [python, -m, pipelines.load]
        inputs: ["lake:raw/orders.csv"]
        outputs: ["warehouse:raw.orders"]
      - name: marts
        run: [python, -m, pipelines.marts]
        inputs: ["warehouse:raw.orders"]
        outputs: ["warehouse:marts.sales"]
services:
  sales-api:
    run: [python, -m, services.sales_api]
    port: PORT
    health: /healthz
products:
  sales:
    owner: analytics
    tables: [marts.sales]
access:
  people:
    ada:
      email: ada@example.com
      teams: [analytics]
  teams:
    analytics: {}
  roles:
    sales_reader:
      product: sales
      privileges: [select]
      members: ["team:analytics"]
masking:
  tables:
    raw.orders:
      keep: [order_id]
      customer: {rule: name}
      note: text
    marts.sales:
      keep: [day, total]
  lake:
    raw/orders.csv: {like: raw.orders}
environments:
  production:
    branch: main
    variables: {GREETING: hello}
  staging:
    branch: main
  replica:
    variables: {GREETING: hi}
targets:
  local: {}
productionHosts: []
"""


def write_platform(folder: Path, old: str = "", new: str = "") -> Path:
    """Writes the platform file, with `old` (which must occur) replaced by `new`, and says where."""
    assert old in PLATFORM_TEXT, f"the sample has no {old!r}"
    path = folder / "dataops.yaml"
    path.write_text(PLATFORM_TEXT.replace(old, new, 1) if old else PLATFORM_TEXT, encoding="utf-8")
    return path


def line_of(path: Path, text: str) -> int:
    """The line, from 1, on which `text` first stands."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
