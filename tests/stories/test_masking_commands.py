"""What a team does about masking: finds what has no rule, adds it, and looks at what masking did."""

from __future__ import annotations

import subprocess

import pytest

from support.scratch_platform import ScratchPlatform

pytestmark = pytest.mark.slow


def test_rules_are_proposed_as_a_diff_and_written_with_every_comment_kept(shop: ScratchPlatform) -> None:
    assert shop.do("snapshot", "classify").stdout == ""
    file = shop.folder / "dataops.yaml"
    before = file.read_text()
    less = before.replace(
        "raw.orders: {keep: [order_id, amount], customer: name}", "raw.orders: {keep: [order_id]}   # ours"
    )
    try:
        file.write_text(less)
        proposed = shop.run("snapshot", "classify")
        assert proposed.status == 11
        assert "has no masking rule" not in proposed.stdout
        assert "+    raw.orders: {keep: [order_id], customer: " in proposed.stdout
        assert file.read_text() == less
        subprocess.run(["git", "apply", "--check"], cwd=shop.folder, input=proposed.stdout, text=True, check=True)
        shop.do("snapshot", "classify", "--write")
        written = file.read_text()
        assert "# ours" in written and "customer: " in written
        assert shop.do("snapshot", "classify", "-o", "json").json == {"written": False, "proposals": []}
    finally:
        file.write_text(before)


def test_rules_are_written_to_a_file_of_their_own(shop: ScratchPlatform) -> None:
    file, rules = shop.folder / "dataops.yaml", shop.folder / "masking.yaml"
    before = file.read_text()
    less = before.replace("raw.orders: {keep: [order_id, amount], customer: name}", "raw.orders: {keep: [order_id]}")
    try:
        file.write_text(less)
        proposed = shop.run("snapshot", "classify", "--to", "masking.yaml")
        assert proposed.status == 11 and "+  raw.orders:" in proposed.stdout and not rules.exists()
        subprocess.run(["git", "apply", "--check"], cwd=shop.folder, input=proposed.stdout, text=True, check=True)
        shop.do("snapshot", "classify", "--write", "--to", "masking.yaml")
        assert file.read_text() == less and "customer: " in rules.read_text()
        assert shop.do("snapshot", "classify", "-o", "json").json == {"written": False, "proposals": []}
        shop.do("snapshot", "capture", "--env", "production")
    finally:
        file.write_text(before)
        rules.unlink(missing_ok=True)


def test_what_masking_did_is_shown_and_a_canary_is_looked_for(shop: ScratchPlatform) -> None:
    snapshot = shop.do("snapshot", "ls", "-o", "json").json[0]["id"]
    seen = shop.do("snapshot", "check-masking", snapshot, "-o", "json").json
    columns = {column["column"]: column for column in seen["columns"]}
    assert columns["raw.orders.customer"]["rule"] == "name(part=full)"
    assert columns["raw.orders.customer"]["changed"] > 0.9
    assert columns["raw.orders.order_id"]["changed"] is None
    assert "| raw.orders.customer |" in shop.do("snapshot", "check-masking", snapshot, "-o", "md").stdout
    planted = shop.folder.parent / "planted.txt"
    planted.write_text("no such value anywhere\n")
    shop.do("snapshot", "check-masking", snapshot, "--canaries", str(planted))
    assert shop.run("snapshot", "check-masking", "20200101T000000Z-000000000000").status == 6
