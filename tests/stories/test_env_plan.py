"""`env plan`: what an update would do, from the same plan, without a trace."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from support.scratch_git import git
from support.scratch_platform import MARTS, ScratchPlatform

pytestmark = pytest.mark.slow

BUSY = ("postgres", "logs", "supervisor")
"""Folders of a running environment whose files change by themselves."""


def plan(shop: ScratchPlatform, *words: str) -> dict[str, Any]:
    done = shop.run("env", "plan", *words, "-o", "json")
    found: dict[str, Any] = done.json
    assert done.status == next((refusal["exit"] for refusal in found["refused"]), 0), done.stderr
    return found


def trace(shop: ScratchPlatform) -> dict[str, str]:
    """Every file of the home and of the repository, git's own included, with its content."""
    found = {}
    for top in (shop.home, shop.folder):
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if name not in BUSY]
            found[folder] = "folder"
            for name in files:
                path = Path(folder, name)
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def steps(planned: dict[str, Any]) -> dict[str, list[str]]:
    return {p["phase"]: [f"{s['op']} {s['name']}" for s in p["steps"]] for p in planned["phases"]}


def test_a_plan_is_what_up_then_does_and_leaves_no_trace(shop: ScratchPlatform) -> None:
    commit = shop.branch("feature/plan")
    before = trace(shop)
    planned = plan(shop, "--branch", "feature/plan")
    assert trace(shop) == before
    assert (planned["exists"], planned["changed"], planned["commit"]) == (False, True, commit)
    assert planned["refused"] == [] and planned["snapshot_age_seconds"] >= 0
    assert steps(planned)["warehouse"] == ["create postgres", "create shop"]
    assert list(steps(planned))[0] == "code" and list(steps(planned))[-1] == "endpoints"
    values = {v["name"]: v["after"] for v in planned["variables"]}
    assert values["GREETING"] == "hi" and values["PGPASSWORD"] == values["WAREHOUSE_URL"] == "[secret]"
    assert shop.run("env", "plan", "--branch", "feature/plan", "--expect-no-changes").status == 7

    made = shop.do("env", "up", "--branch", "feature/plan", "-o", "json").json
    assert made["changes"] == planned["changes"]
    assert shop.do("env", "plan", "--branch", "feature/plan", "--expect-no-changes").stdout.startswith(
        "feature-plan would stay as it is."
    )

    git(shop.folder, "switch", "--quiet", "feature/plan")
    (shop.folder / "pipelines" / "marts.py").write_text(MARTS.replace("FACTOR = 1", "FACTOR = 3"))
    git(shop.folder, "commit", "--quiet", "--all", "--message", "Triple")
    git(shop.folder, "switch", "--quiet", "main")
    (Path(made["code"]) / "notes.txt").write_text("work in progress")
    before = trace(shop)
    moved = plan(shop, "--branch", "feature/plan", "--var", "GREETING=top-secret-value")
    assert trace(shop) == before
    assert moved["commit_before"] == commit and steps(moved)["code"] == ["replace worktree"]
    assert [v["name"] for v in moved["variables"]] == ["GREETING"] and "top-secret-value" not in str(moved)
    assert [r["exit"] for r in moved["refused"]] == [5] and "edited in place" in moved["refused"][0]["what"]
    refused = shop.run("env", "plan", "--branch", "feature/plan")
    assert refused.status == shop.run("env", "up", "--branch", "feature/plan").status == 5
    text = refused.stdout
    assert "It would be refused now" in text and "replace Worktree worktree" in text
    shop.do("env", "down", "feature-plan", "--yes", "--force")


def test_a_deployment_is_planned_from_any_branch_and_says_what_would_stop_it(shop: ScratchPlatform) -> None:
    settled = plan(shop, "production", "--expect-no-changes")
    assert (settled["name"], settled["changed"], settled["refused"]) == ("production", False, [])
    again = plan(shop, "production", "--var", "GREETING=servus")
    assert steps(again)["variables"] == ["update variables"] and "update sales-api" in steps(again)["services"]
    assert steps(again).keys() == {"variables", "services"}
    shop.branch("feature/elsewhere")
    git(shop.folder, "switch", "--quiet", "feature/elsewhere")
    try:
        (refused,) = plan(shop, "production")["refused"]
        assert "deployed from branch main only" in refused["what"]
    finally:
        git(shop.folder, "switch", "--quiet", "main")
    before = trace(shop)
    assert plan(shop, "staging")["exists"] is False
    assert trace(shop) == before
    assert shop.run("env", "plan", "staging", "--branch", "main").status == 2
    assert shop.run("env", "plan", "--branch", "feature/none").status == 6
