"""The life of snapshots in their store: taken, compared, checked, kept, removed, shredded; and what refuses to go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.s3_server import CREDENTIALS, s3_server
from support.scratch_platform import ScratchPlatform

pytestmark = pytest.mark.slow


@pytest.fixture
def taken(shop: ScratchPlatform) -> Iterator[list[str]]:
    """Two further snapshots, nothing having changed; whatever is left of them is removed."""
    before = {s["id"] for s in shop.do("snapshot", "ls", "-o", "json").json}
    made = [str(shop.do("snapshot", "capture", "-q", "-o", "json").json["id"]) for _ in range(2)]
    yield made
    for snapshot in {s["id"] for s in shop.do("snapshot", "ls", "-o", "json").json} - before:
        shop.run("snapshot", "unpin", snapshot)
        shop.do("snapshot", "rm", snapshot, "--yes")


def listed(shop: ScratchPlatform) -> dict[str, dict[str, object]]:
    return {s["id"]: s for s in shop.do("snapshot", "ls", "-o", "json").json}


def test_snapshots_are_compared_checked_kept_removed_and_shredded(shop: ScratchPlatform, taken: list[str]) -> None:
    first, second = taken
    told = listed(shop)[second]
    assert told["bytes"] and told["stored"]
    table = shop.do("snapshot", "ls").stdout
    assert "SHARED" in table and f"{told['shared']:.0%}" in table
    assert "of it shared with other snapshots" in shop.do("snapshot", "show", second, "--verify").stdout
    every = shop.do("snapshot", "diff", first, second, "--all", "-o", "json").json
    data = [d for d in every if not d["name"].startswith("schema/")]  # `pg_dump` writes a random word into it
    assert {d["state"] for d in data} == {"same"} and "warehouse:raw.orders" in {d["name"] for d in data}
    assert sum(d["own"] for d in data) == 0
    less = shop.do("snapshot", "diff", first, second, "-o", "json").json
    assert less == [d for d in every if d["state"] != "same"]
    assert all(v["ok"] for v in shop.do("snapshot", "verify", "-o", "json").json)

    assert shop.do("snapshot", "pin", first, "--why", "audit").stdout.strip() == f"{first} is pinned"
    refused = shop.run("snapshot", "rm", first, "--yes")
    assert refused.status == 5 and "it is pinned (audit)" in refused.stderr
    asked = shop.run("snapshot", "prune", "--keep", "1")
    assert asked.status == 2 and "--yes" in asked.stderr
    shown = shop.do("snapshot", "prune", "--keep", "1", "--dry-run", "-o", "json").json
    assert {"snapshot": first, "why": "it is pinned (audit)"} in shown["staying"]
    assert {"snapshot": second, "why": "it is among the newest"} in shown["staying"]
    assert shop.do("snapshot", "unpin", first, "-o", "json").json == {"id": first, "pinned": False}

    shop.do("snapshot", "shred", first, "--yes")
    assert listed(shop)[first]["shredded"] is True
    shop.branch("feature/shredded")
    gone = shop.run("env", "up", "--branch", "feature/shredded", "--snapshot", first)
    assert gone.status != 0 and "its key was destroyed" in gone.stderr
    assert "feature-shredded" not in {e["name"] for e in shop.do("env", "ls", "-o", "json").json}
    assert shop.run("snapshot", "verify", first).status == 6
    assert all(v["ok"] for v in shop.do("snapshot", "verify", "-o", "json").json)
    assert shop.do("snapshot", "rm", first, "--yes", "-o", "json").json["removed"] == [first]
    assert first not in listed(shop)
    shop.do("snapshot", "verify", second)


def test_what_a_replica_is_made_of_stays_and_what_was_not_said_is_asked_for(
    shop: ScratchPlatform, taken: list[str]
) -> None:
    shop.branch("feature/keeps")
    shop.do("env", "up", "--branch", "feature/keeps", "--snapshot", taken[0])
    try:
        for command in ("rm", "shred"):
            refused = shop.run("snapshot", command, taken[0], "--yes")
            assert refused.status == 5 and "feature-keeps is made of it" in refused.stderr
        decided = shop.do("snapshot", "prune", "--keep", "1", "--dry-run", "-o", "json").json
        assert {"snapshot": taken[0], "why": "feature-keeps is made of it"} in decided["staying"]
    finally:
        shop.do("env", "down", "feature-keeps", "--yes")
    assert shop.run("snapshot", "prune", "--yes").status == 2
    wrong = shop.run("snapshot", "prune", "--older-than", "soon", "--yes")
    assert wrong.status == 2 and "--older-than" in wrong.stderr


def test_a_damaged_chunk_is_told_by_its_place(shop: ScratchPlatform, taken: list[str]) -> None:
    (store,) = shop.home.glob("platforms/*/snapshots")
    chunk = next(path for path in sorted((store / "chunks").rglob("*")) if path.is_file())
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        told = shop.run("snapshot", "verify", "-o", "json")
        assert told.status == 11 and str(chunk) in told.stderr
        assert not all(v["ok"] for v in json.loads(told.stdout))
    finally:
        chunk.write_bytes(whole)


def test_snapshots_in_a_bucket_are_listed_checked_fetched_and_removed(shop: ScratchPlatform, taken: list[str]) -> None:
    first, second = taken
    with s3_server() as server:
        url = server.url(server.bucket(), "/shop")
        at = ("--at", url)
        assert "no snapshot in the bucket" in shop.do("snapshot", "ls", *at, **CREDENTIALS).stderr
        for snapshot in taken:
            assert f"Pushed {snapshot}" in shop.do("snapshot", "push", snapshot, url, **CREDENTIALS).stdout
        held = shop.do("snapshot", "ls", *at, "-o", "json", **CREDENTIALS).json
        assert [s["id"] for s in held] == taken and all(s["stored"] and s["rows"] for s in held)
        assert second in shop.do("snapshot", "ls", *at, **CREDENTIALS).stdout
        assert all(v["ok"] for v in shop.do("snapshot", "verify", *at, "-o", "json", **CREDENTIALS).json)
        shop.do("snapshot", "rm", second, "--yes")
        assert shop.do("snapshot", "pull", "newest", url, "-o", "json", **CREDENTIALS).json["snapshot"] == second
        shop.do("snapshot", "verify", second)
        shown = shop.do("snapshot", "prune", "--keep", "1", "--dry-run", *at, "-o", "json", **CREDENTIALS).json
        assert shown["going"] == [first]
        assert f"Removed {first}" in shop.do("snapshot", "prune", "--keep", "1", "-y", *at, **CREDENTIALS).stdout
        variables: dict[str, Any] = {**CREDENTIALS}
        gone = shop.run("snapshot", "rm", first, "--yes", *at, **variables)
        assert gone.status == 6 and "in the bucket" in gone.stderr
        assert "free again" in shop.do("snapshot", "rm", second, "--yes", *at, **CREDENTIALS).stderr
        assert server.objects(url.split("/")[2]) == {}
        refused = shop.run("snapshot", "ls", *at, AWS_ACCESS_KEY_ID="", AWS_EC2_METADATA_DISABLED="true")
        assert refused.status == 3 and "no credentials for the snapshots" in refused.stderr
    assert shop.run("snapshot", "ls", "--at", "ftp://x").status == 2
