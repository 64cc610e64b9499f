"""What happens to branches while environments were made from them: nobody loses work, or is left without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.scratch_git import commit, git
from support.scratch_platform import MARTS, ScratchPlatform

pytestmark = pytest.mark.slow

DOUBLED = {"pipelines/marts.py": MARTS.replace("FACTOR = 1", "FACTOR = 2")}
TRIPLED = {"pipelines/marts.py": MARTS.replace("FACTOR = 1", "FACTOR = 3")}


def test_an_environment_outlives_its_branch_and_says_what_became_of_it(shop: ScratchPlatform) -> None:
    first = shop.branch("feature/rewritten", DOUBLED)
    shop.do("env", "up", "--branch", "feature/rewritten")
    name = "feature-rewritten"
    assert shop.do("env", "status", name, "-o", "json").json["astray"] == ""

    git(shop.folder, "branch", "--quiet", "-D", "feature/rewritten")
    gone = shop.do("env", "status", name)
    assert "branch feature/rewritten is gone" in gone.stdout and "can still be used" in gone.stdout
    shop.do("env", "exec", name, "--", "true")
    refused = shop.run("env", "up", "--branch", "feature/rewritten")
    assert refused.status == 6 and f"git branch feature/rewritten {first[:12]}" in refused.stderr
    assert f"dataops env down {name}" in refused.stderr

    second = shop.branch("feature/rewritten", TRIPLED)
    rewritten = shop.do("env", "status", name)
    assert f"commit {first[:12]} is no longer on feature/rewritten" in " ".join(rewritten.stdout.split())
    moved = shop.do("env", "up", "--branch", "feature/rewritten", "-o", "json")
    assert f"commit {first[:12]} is no longer on feature/rewritten" in moved.stderr
    assert moved.json["commit"] == second
    shop.do("env", "down", name, "--yes")


def test_work_in_an_environment_is_never_thrown_away_unasked(shop: ScratchPlatform) -> None:
    shop.branch("feature/work", DOUBLED)
    code = Path(shop.do("env", "up", "--branch", "feature/work", "-o", "json").json["code"])
    made = commit(code, {"pipelines/mine.py": "# committed on no branch\n"}, "Mine")
    git(shop.folder, "switch", "--quiet", "feature/work")
    commit(shop.folder, TRIPLED, "Triple")
    git(shop.folder, "switch", "--quiet", "main")
    for words in (["env", "up", "--branch", "feature/work"], ["env", "down", "feature-work", "--yes"]):
        refused = shop.run(*words)
        assert refused.status == 5 and made[:7] in refused.stderr and code.is_dir(), refused.stderr
    git(shop.folder, "branch", "--quiet", "kept", made)
    shop.do("env", "up", "--branch", "feature/work")
    shop.do("env", "down", "feature-work", "--yes")


def test_branches_whose_slugs_collide_get_environments_of_their_own(shop: ScratchPlatform) -> None:
    long = "feature/" + "very-long-" * 18 + "name"
    branches = ["feature/same", "feature-same", long]
    for branch in branches:
        shop.branch(branch)
    started = [shop.start("env", "up", "--branch", branch, "-o", "json") for branch in branches]
    for process in started:
        _, said = process.communicate()
        assert process.returncode == 0, said
    found = {e["branch"]: e["name"] for e in shop.do("env", "ls", "-o", "json").json if e["branch"] in branches}
    assert len(set(found.values())) == 3 and all(len(name) <= 40 for name in found.values())
    assert {"feature-same"} < set(found.values())
    for name in found.values():
        shop.do("env", "down", name, "--yes")
