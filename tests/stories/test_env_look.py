"""What a developer sees of an environment: the panel, status, logs, history, and how two of them differ."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import Any

import psycopg
import pytest

from support.scratch_git import git
from support.scratch_platform import MARTS, ScratchPlatform

pytestmark = pytest.mark.slow


def test_an_environment_is_seen_compared_and_followed_without_its_secrets(shop: ScratchPlatform) -> None:
    commit = shop.branch("feature/look", {"pipelines/marts.py": MARTS.replace("FACTOR = 1", "FACTOR = 7")})
    panel = shop.do("env", "up", "--branch", "feature/look").stdout
    for said in ("ready", "snapshot", "env connect feature-look", "env logs feature-look", "env reset feature-look"):
        assert said in panel
    again = shop.do("env", "up", "--branch", "feature/look", "-o", "json").json
    (state,) = shop.folder.glob(".dataops/state/.pulumi/stacks/shop/feature-look.json")
    recorded = json.loads(state.read_text())["checkpoint"]["latest"]["resources"]
    counted = [r for r in recorded if not r["type"].startswith("pulumi:providers:")]
    assert again["changes"] == {"same": len(counted)}, "each resource is counted once"

    seen = shop.do("env", "status", "feature-look", "-o", "json").json
    assert seen["memory_bytes"] > 0 and seen["disk_bytes"] > 1_000_000 and seen["snapshot_age_seconds"] >= 0

    entries = shop.do("env", "history", "feature-look", "-o", "json").json
    assert [e["version"] for e in entries] == [2, 1]
    assert {(e["commit"], e["author"], e["subject"], e["result"]) for e in entries} == {
        (commit, author(shop), "Change", "succeeded")
    }
    assert shop.do("env", "history", "feature-look", "--limit", "1", "-o", "json").json == entries[:1]

    with psycopg.connect(developer(shop, "feature-look")) as session:
        session.execute("CREATE TABLE raw.mine (a int)")
        session.execute("DELETE FROM raw.orders WHERE order_id > 40")
    differing = shop.do("env", "diff", "production", "feature-look", "-o", "json").json
    assert differing["unknown"] == {} and differing["same"] is False
    assert differing["code"]["files"] == [{"path": "pipelines/marts.py", "how": "different"}]
    assert [c.partition(" ")[2] for c in differing["code"]["commits"]["only_in_b"]] == ["Change"]
    tables = {t["name"]: (t["how"], t["a"], t["b"]) for t in differing["tables"]}
    assert tables["raw.orders"] == ("different", "50 rows", "40 rows")
    assert tables["raw.mine"][:2] == ("only in b", "")
    hidden = {v["name"]: (v["a"], v["b"]) for v in differing["variables"]}
    assert hidden["PGPASSWORD"] == ("[secret]", "[secret]") and hidden["GREETING"] == ("hello", "hi")
    assert {r["name"] for r in differing["roles"]} >= {"ada", "developer"}
    secret = shop.do("env", "exec", "feature-look", "--", "sh", "-c", "echo $PGPASSWORD").stdout.strip()
    shop.do(
        "env", "exec", "feature-look", "--", "sh", "-c", f"echo leaked {secret} >> {seen['root']}/logs/sales-api.log"
    )
    assert secret not in json.dumps(differing) and secret not in panel

    shown = shop.do("env", "logs", "feature-look", "--tail", "all", "-o", "json").stdout
    lines = [json.loads(line) for line in shown.splitlines()]
    assert {"postgres", "supervisor", "sales-api"} <= {line["source"] for line in lines}
    assert secret not in shown and any(line["text"] == "leaked [secret]" for line in lines)
    unknown = shop.run("env", "logs", "feature-look", "postgers")
    assert unknown.status == 6 and "did you mean postgres?" in unknown.stderr
    follow(shop, seen["root"])
    shop.do("env", "down", "feature-look", "--yes")


def follow(shop: ScratchPlatform, root: str) -> None:
    """Ctrl-C ends it, and that is no failure."""
    following: subprocess.Popen[str] = shop.start("env", "logs", "feature-look", "sales-api", "-f", "--tail", "1")
    assert following.stdout is not None
    assert "leaked" in following.stdout.readline()
    with open(f"{root}/logs/sales-api.log", "a") as log:
        log.write("something new\n")
    assert following.stdout.readline() == "sales-api | something new\n"
    time.sleep(0.1)
    os.killpg(following.pid, signal.SIGINT)
    assert following.wait(30) == 0
    following.communicate()


def author(shop: ScratchPlatform) -> str:
    return git(shop.folder, "log", "-1", "--format=%an")


def developer(shop: ScratchPlatform, name: str) -> str:
    found: dict[str, Any] = shop.do("env", "connect", name, "--show-password", "-o", "json").json
    return str(found["url"])
