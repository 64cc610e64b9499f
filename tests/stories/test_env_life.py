"""The life of environments, as a developer sees it: production, a snapshot, a replica of a branch, and nothing left."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dataops.envs.sweep import leftovers, processes_of
from support.scratch_git import git
from support.scratch_platform import MARTS, ScratchPlatform, scratch_platform

pytestmark = pytest.mark.slow

DOUBLED = {"pipelines/marts.py": MARTS.replace("FACTOR = 1", "FACTOR = 2")}


def up(shop: ScratchPlatform, branch: str) -> dict[str, Any]:
    report: dict[str, Any] = shop.do("env", "up", "--branch", branch, "-o", "json").json
    return report


def test_a_replica_is_private_complete_and_leaves_nothing(shop: ScratchPlatform) -> None:
    commit = shop.branch("feature/double", DOUBLED)
    before = shop.do("env", "fingerprint", "production", "-o", "json").json

    made = up(shop, "feature/double")
    assert (made["name"], made["state"], made["changed"], made["commit"]) == ("feature-double", "ready", True, commit)
    assert made["checks"] and all(check["ok"] for check in made["checks"])
    assert made["resources"] > 10 and {"code", "golden", "warehouse", "services"} <= made["phases"].keys()

    again = up(shop, "feature/double")
    assert again["changed"] is False and set(again["changes"]) <= {"same", "refresh"}

    ran = shop.do("pipeline", "run", "sales", "--env", "feature-double", "-o", "json").json
    assert [(s["name"], s["state"]) for s in ran["steps"]] == [
        ("extract", "succeeded"), ("load", "succeeded"), ("marts", "succeeded"),
    ]  # fmt: skip
    assert ran["steps"][1]["rows"] == {"raw.orders": 50}

    after = shop.do("env", "fingerprint", "production", "-o", "json").json
    replica = shop.do("env", "fingerprint", "feature-double", "-o", "json").json
    assert after == before
    assert replica["tables"]["marts.sales"] != before["tables"]["marts.sales"]

    assert shop.do("env", "exec", "feature-double", "--", "sh", "-c", "echo $DATAOPS_ENVIRONMENT:$GREETING").stdout == (
        "feature-double:hi\n"
    )
    assert shop.run("env", "exec", "feature-double", "--", "sh", "-c", "exit 3").status == 3
    with urllib.request.urlopen(f"{made['urls']['sales-api']}/", timeout=10) as answer:
        assert answer.read() == b"hi"

    root = Path(shop.do("env", "status", "feature-double", "-o", "json").json["root"])
    assert processes_of(root) and root.is_dir()
    ports = [made["warehouse"]["port"], int(made["urls"]["sales-api"].rpartition(":")[2])]

    shop.do("env", "down", "feature-double", "--yes")
    assert leftovers(root, ports).lines() == []
    assert "feature-double" not in git(shop.folder, "worktree", "list")
    assert [e["name"] for e in shop.do("env", "ls", "-o", "json").json] == ["production"]
    assert shop.run("env", "status", "feature-double").status == 6
    assert shop.do("env", "fingerprint", "production", "-o", "json").json == before


def test_passwords_are_shown_only_when_asked_for(shop: ScratchPlatform) -> None:
    shop.branch("feature/secrets")
    printed = shop.do("env", "up", "--branch", "feature/secrets")
    hidden = shop.do("env", "connect", "feature-secrets", "-o", "json").json
    shown = shop.do("env", "connect", "feature-secrets", "--show-password", "-o", "json").json
    assert "password" not in hidden and len(shown["password"]) > 20
    everything = printed.stdout + printed.stderr + shop.do("env", "status", "feature-secrets", "-o", "json").stdout
    assert shown["password"] not in everything
    with psycopg.connect(shown["url"]) as connection:
        (role,) = connection.execute("SELECT current_user").fetchone() or ("",)
        connection.execute("CREATE TABLE raw.mine (a int)")
    assert role == "warehouse_owner"
    assert shop.run("env", "connect", "feature-secrets", "--role", "sales_reader").status == 6
    shop.do("env", "down", "feature-secrets", "--yes")


def test_a_new_commit_moves_the_replica_and_keeps_its_data(shop: ScratchPlatform) -> None:
    shop.branch("feature/move")
    first = up(shop, "feature/move")
    with psycopg.connect(_developer(shop, "feature-move")) as connection:
        connection.execute("CREATE TABLE raw.mine (a int)")
    git(shop.folder, "switch", "--quiet", "feature/move")
    (shop.folder / "pipelines" / "marts.py").write_text(DOUBLED["pipelines/marts.py"])
    git(shop.folder, "commit", "--quiet", "--all", "--message", "Double")
    git(shop.folder, "switch", "--quiet", "main")
    second = up(shop, "feature/move")
    assert second["changed"] and second["commit"] != first["commit"] and second["code"] != first["code"]
    assert second["snapshot"] == first["snapshot"] and second["warehouse"] == first["warehouse"]
    assert not Path(first["code"]).exists()
    with psycopg.connect(_developer(shop, "feature-move")) as connection:
        connection.execute("SELECT a FROM raw.mine")
    shop.do("env", "down", "feature-move", "--yes")


def test_a_process_that_died_is_brought_back(shop: ScratchPlatform) -> None:
    shop.branch("feature/heal")
    made = up(shop, "feature/heal")
    root = Path(shop.do("env", "status", "feature-heal", "-o", "json").json["root"])
    for pid in processes_of(root):
        subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)
    broken = shop.do("env", "status", "feature-heal", "-o", "json").json
    assert not all(part["answers"] for part in broken["parts"])
    healed = up(shop, "feature/heal")
    assert healed["changed"] and healed["warehouse"]["database"] == made["warehouse"]["database"]
    whole = shop.do("env", "status", "feature-heal", "-o", "json").json
    assert whole["parts"] and all(part["answers"] for part in whole["parts"])
    shop.do("env", "down", "feature-heal", "--yes")


def test_an_environment_goes_also_when_branch_configuration_and_repository_are_gone(shop: ScratchPlatform) -> None:
    with scratch_platform() as other:
        other.produce()
        other.branch("feature/orphan")
        made = up(other, "feature/orphan")
        git(other.folder, "branch", "--quiet", "-D", "feature/orphan")
        (other.folder / "dataops.yaml").unlink()
        root = Path(other.do("env", "status", "feature-orphan", "-o", "json").json["root"])
        other.do("env", "down", "feature-orphan", "--yes")
        assert leftovers(root, [made["warehouse"]["port"]]).lines() == []

        production = other.do("env", "status", "production", "-o", "json").json
        subprocess.run(["rm", "-rf", str(other.folder)], check=True)
        elsewhere = other.home
        assert [e["state"] for e in other.do("env", "ls", "-o", "json", cwd=elsewhere).json] == ["orphaned"]
        assert other.run("env", "down", "production", "--yes", cwd=elsewhere).status == 5
        gone = other.do("env", "down", "production", "--yes", "--force", "-o", "json", cwd=elsewhere).json
        assert "its state is gone" in gone["notes"][0] and gone["swept"]
        assert leftovers(Path(production["root"]), [production["warehouse"]["port"]]).lines() == []
        assert other.do("env", "ls", "-o", "json", cwd=elsewhere).json == []


def test_uncommitted_work_in_an_environment_is_not_thrown_away(shop: ScratchPlatform) -> None:
    shop.branch("feature/edit")
    made = up(shop, "feature/edit")
    edited = Path(made["code"]) / "pipelines" / "marts.py"
    edited.write_text("# my only copy\n")
    refused = shop.run("env", "down", "feature-edit", "--yes")
    assert refused.status == 5 and "pipelines/marts.py" in refused.stderr and "--force" in refused.stderr
    assert edited.read_text() == "# my only copy\n"
    shop.do("env", "down", "feature-edit", "--yes", "--force")
    assert not edited.exists()


def _developer(shop: ScratchPlatform, name: str) -> str:
    url: str = shop.do("env", "connect", name, "--show-password", "-o", "json").json["url"]
    return url
