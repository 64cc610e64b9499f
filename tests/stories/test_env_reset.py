"""`env reset` and `env up --from-step`: a replica's data laid anew in place, and parts of it done again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.scratch_platform import ScratchPlatform

pytestmark = pytest.mark.slow

KEPT = ("WAREHOUSE_URL", "PGPASSWORD", "PGPORT", "LAKE_URL")


def up(shop: ScratchPlatform, branch: str, *more: str) -> dict[str, Any]:
    report: dict[str, Any] = shop.do("env", "up", "--branch", branch, "-o", "json", *more).json
    return report


def connection(shop: ScratchPlatform, name: str) -> str:
    url: str = shop.do("env", "connect", name, "--show-password", "-o", "json").json["url"]
    return url


def variables(shop: ScratchPlatform, name: str) -> str:
    return shop.do("env", "exec", name, "--", "sh", "-c", "; ".join(f"echo ${v}" for v in KEPT)).stdout


def spoil(shop: ScratchPlatform, name: str, made: dict[str, Any]) -> None:
    """Writes to warehouse and lake what a snapshot does not have."""
    with psycopg.connect(connection(shop, name)) as session:
        session.execute("CREATE TABLE raw.mine (a int)")
        session.execute("DELETE FROM raw.orders")
    (Path(made["lake"].removeprefix("file://")) / "mine.txt").write_text("mine")


def assert_as_the_snapshot_has_it(shop: ScratchPlatform, name: str, made: dict[str, Any]) -> None:
    with psycopg.connect(connection(shop, name)) as session:
        assert session.execute("SELECT count(*) FROM raw.orders").fetchone() == (50,)
        assert session.execute("SELECT to_regclass('raw.mine')").fetchone() == (None,)
    assert not (Path(made["lake"].removeprefix("file://")) / "mine.txt").exists()


def test_a_reset_brings_the_data_back_and_keeps_everything_else(shop: ScratchPlatform) -> None:
    shop.branch("feature/reset")
    made = up(shop, "feature/reset", "--var", "GREETING=servus")
    before = variables(shop, "feature-reset")
    spoil(shop, "feature-reset", made)
    edited = Path(made["code"]) / "notes.txt"
    edited.write_text("work in progress")

    assert shop.run("env", "reset", "production", "--yes").status == 5
    assert shop.run("env", "reset", "feature-reset").status == 2
    report = shop.do("env", "reset", "feature-reset", "--yes", "-o", "json").json
    assert report["state"] == "ready" and report["commit"] == made["commit"]
    assert_as_the_snapshot_has_it(shop, "feature-reset", made)
    assert variables(shop, "feature-reset") == before
    assert report["urls"] == made["urls"] and edited.read_text() == "work in progress"
    assert shop.do("env", "exec", "feature-reset", "--", "sh", "-c", "echo $GREETING").stdout == "servus\n"
    shop.do("pipeline", "run", "sales", "--env", "feature-reset")

    again = up(shop, "feature/reset", "--var", "GREETING=servus")
    assert again["changed"] is False
    shop.do("env", "down", "feature-reset", "--yes", "--force")


def test_a_replica_is_made_of_a_subset_and_emptied_in_place(shop: ScratchPlatform) -> None:
    def orders(name: str) -> int:
        with psycopg.connect(connection(shop, name)) as session:
            row = session.execute("SELECT count(*) FROM raw.orders").fetchone()
            assert row is not None
            return int(row[0])

    shop.branch("feature/part")
    missing = shop.run("env", "up", "--branch", "feature/part", "--snapshot", "subset:orders:7")
    assert missing.status == 6 and 'dataops snapshot capture --subset "orders:7"' in missing.stderr
    taken = shop.do("snapshot", "capture", "--subset", "orders:7", "-o", "json").json
    assert taken["subset"] == ["raw.orders:7"]
    assert "7 of 50" in " ".join(shop.do("snapshot", "capture", "--subset", "orders:7").stderr.split())
    shown = shop.do("snapshot", "show", "subset:orders:7").stdout
    assert "raw.orders:7" in shown and ["warehouse:raw.orders", "7", "50", "rule"] in [
        line.split()[:4] for line in shown.splitlines()
    ]
    assert "raw.orders:7" in shop.do("snapshot", "ls").stdout

    made = up(shop, "feature/part", "--snapshot", "subset:orders:7")
    assert orders("feature-part") == 7 and up(shop, "feature/part")["changed"] is False
    report = shop.do("env", "reset", "feature-part", "--to", "empty", "--yes", "-o", "json").json
    assert report["snapshot"].endswith("-empty") and orders("feature-part") == 0
    assert up(shop, "feature/part")["changed"] is False
    assert shop.run("snapshot", "rm", report["snapshot"].removesuffix("-empty"), "--yes").status == 5
    whole = up(shop, "feature/part", "--snapshot", "latest")["snapshot"]
    assert orders("feature-part") == 50 and whole != made["snapshot"]
    shop.do("snapshot", "prune", "--keep", "1", "--yes")
    assert whole in shop.do("snapshot", "ls").stdout
    shop.do("env", "down", "feature-part", "--yes", "--force")


def test_a_reset_takes_another_snapshot_in_place(shop: ScratchPlatform) -> None:
    shop.branch("feature/fresh")
    made = up(shop, "feature/fresh")
    before = variables(shop, "feature-fresh")
    shop.do("snapshot", "capture", "--env", "production")
    report = shop.do("env", "reset", "feature-fresh", "--snapshot", "newest", "--yes", "-o", "json").json
    assert report["snapshot"] > made["snapshot"]
    assert variables(shop, "feature-fresh") == before
    assert "replace" not in report["changes"] or report["changes"]["replace"] == 1, (
        "the golden directory alone is replaced"
    )
    shop.do("env", "down", "feature-fresh", "--yes")


def test_a_running_pipeline_keeps_its_data_unless_forced(shop: ScratchPlatform) -> None:
    slow = "import time\nprint('waiting', flush=True)\ntime.sleep(60)\n"
    shop.branch("feature/busy", {"pipelines/extract.py": slow})
    up(shop, "feature/busy")
    running = shop.start("pipeline", "run", "sales", "--env", "feature-busy")
    try:
        deadline = time.monotonic() + 30
        while not any(run["state"] == "running" for run in runs(shop, "feature-busy")):
            assert time.monotonic() < deadline
        refused = shop.run("env", "reset", "feature-busy", "--yes")
        assert refused.status == 5 and "pipeline sales runs in it" in refused.stderr
        assert runs(shop, "feature-busy")[0]["id"] in refused.stderr
        shop.do("env", "reset", "feature-busy", "--yes", "--force")
    finally:
        os.killpg(running.pid, signal.SIGINT)
        running.communicate(timeout=30)
    shop.do("env", "down", "feature-busy", "--yes")


def runs(shop: ScratchPlatform, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.do("pipeline", "runs", "--env", name, "-o", "json").json
    return found


def test_a_reset_killed_with_the_data_in_pieces_is_finished_by_the_next_command(shop: ScratchPlatform) -> None:
    shop.branch("feature/killed")
    made = up(shop, "feature/killed")
    before = variables(shop, "feature-killed")
    root = Path(made["variables"]).parent
    for moment, finish in (
        ("laid aside", ("env", "up", "--branch", "feature/killed")),
        ("half copied", ("env", "reset", "feature-killed", "--yes")),
        ("not recorded", ("env", "up", "--branch", "feature/killed")),
    ):
        spoil(shop, "feature-killed", made)
        old = (root / "postgres" / "dataops.json").read_text()
        killed = shop.start("env", "reset", "feature-killed", "--yes")
        deadline = time.monotonic() + 60
        while not _reached(root, moment, old) and killed.poll() is None and time.monotonic() < deadline:
            time.sleep(0.0005)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate(timeout=30)
        shop.do(*finish)
        assert_as_the_snapshot_has_it(shop, "feature-killed", made)
        assert variables(shop, "feature-killed") == before, moment
    assert up(shop, "feature/killed")["changed"] is False
    shop.do("env", "down", "feature-killed", "--yes")


def _reached(root: Path, moment: str, old: str) -> bool:
    marker, partial = root / "postgres" / "dataops.json", root / ".postgres.partial"
    if moment == "laid aside":
        return partial.exists()
    if moment == "half copied":
        return partial.exists() and (root / "postgres" / "base").exists() and not marker.exists()
    try:
        return marker.read_text() != old
    except FileNotFoundError:
        return False


def test_starting_over_does_one_phase_and_the_later_ones_again(shop: ScratchPlatform) -> None:
    shop.branch("feature/over")
    made = up(shop, "feature/over")
    before = variables(shop, "feature-over")
    unknown = shop.run("env", "up", "--branch", "feature/over", "--from-step", "datbase")
    assert unknown.status == 2 and "golden, warehouse, lake, access" in unknown.stderr

    spoil(shop, "feature-over", made)
    services = up(shop, "feature/over", "--from-step", "services")
    assert services["changes"]["replace"] == 1 and services["urls"] == made["urls"]
    with psycopg.connect(connection(shop, "feature-over")) as session:
        assert session.execute("SELECT to_regclass('raw.mine')").fetchone() != (None,), "earlier phases are left alone"

    data = up(shop, "feature/over", "--from-step", "warehouse")
    assert_as_the_snapshot_has_it(shop, "feature-over", made)
    assert variables(shop, "feature-over") == before and data["warehouse"] == made["warehouse"]
    assert data["urls"] == made["urls"]

    venv = Path(shop.do("env", "exec", "feature-over", "--", "sh", "-c", "echo $VIRTUAL_ENV").stdout.strip())
    (venv / "bin" / "broken").write_text("")
    everything = up(shop, "feature/over", "--from-step", "code")
    assert not (venv / "bin" / "broken").exists()
    assert everything["changes"]["replace"] == 4 and everything["urls"] == made["urls"]
    assert all(check["ok"] for check in everything["checks"])
    assert up(shop, "feature/over")["changed"] is False

    (Path(made["code"]) / "notes.txt").write_text("work in progress")
    refused = shop.run("env", "up", "--branch", "feature/over", "--from-step", "code")
    assert refused.status == 5 and "notes.txt" in refused.stderr
    shop.do("env", "down", "feature-over", "--yes", "--force")
