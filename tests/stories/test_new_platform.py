"""The first hour of a new user: from an empty folder to a replica, by what `dataops init` says to type."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path

import psycopg
import pytest
from uv import find_uv_bin

from dataops.envs.sweep import leftovers
from support.scratch_git import git
from support.scratch_platform import ScratchPlatform, scratch_platform

pytestmark = pytest.mark.slow


class NewPlatform(ScratchPlatform):
    """A platform whose requirements come from where `make setup` got the same ones: uv's cache, else the registry."""

    def variables(self, **more: str) -> dict[str, str]:
        told = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "PIP_"))}
        return {**super().variables(), **told, **({"UV_OFFLINE": "1"} if cached(self.folder) else {}), **more}


@cache
def cached(folder: Path) -> bool:
    """Whether uv has the requirements that `init` wrote."""
    words = ["pip", "install", "--offline", "--dry-run", "--quiet", "--target", "elsewhere", "-r", "requirements.txt"]
    return subprocess.run([find_uv_bin(), *words], cwd=folder, capture_output=True, check=False).returncode == 0


def test_what_init_writes_comes_up(tmp_path: Path) -> None:
    with scratch_platform() as other:
        folder = other.folder.with_name("greeter")
        folder.mkdir()
        told = ScratchPlatform(folder, other.home).do("init").stdout
        new = NewPlatform(folder, other.home)
        assert "written  dataops.yaml" in told and "git init --initial-branch main" in told

        early = new.run("env", "deploy", "production", "--yes")
        assert early.status == 6 and "git init" in early.stderr
        git(folder, "init", "--quiet", "--initial-branch", "main")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "Begin the platform greeter")
        assert new.do("validate", "-o", "json").json["valid"] is True
        assert new.do("doctor", "-o", "json").json["healthy"] is True

        new.do("env", "deploy", "production", "--yes")
        assert git(folder, "status", "--porcelain") == ""
        ran = new.do("pipeline", "run", "greetings", "--env", "production", "-o", "json").json
        assert [(s["name"], s["state"]) for s in ran["steps"]] == [("greet", "succeeded")]
        taken = new.do("snapshot", "capture", "--env", "production", "-o", "json").json
        assert [s["id"] for s in new.do("snapshot", "ls", "-o", "json").json] == [taken["id"]]
        assert f"| {taken['id']} |" in new.do("snapshot", "ls", "-o", "md").stdout
        assert f"id: {taken['id']}" in new.do("snapshot", "show", taken["id"], "-o", "yaml").stdout
        assert new.do("snapshot", "show", "newest", "-o", "json").json["id"] == taken["id"]

        git(folder, "branch", "feature/first")
        came = new.do("env", "up", "--branch", "feature/first", "-o", "json", "--log-format", "json")
        made, told_lines = came.json, [json.loads(line) for line in came.stderr.splitlines()]
        assert {"golden", "warehouse", "checks"} <= {line["phase"] for line in told_lines}
        assert made["state"] == "ready" and all(check["ok"] for check in made["checks"])
        checks = new.do("doctor", "-o", "json").json["checks"]
        assert {c["check"]: c["verdict"] for c in checks if c["area"] == "platform" and c["verdict"] != "ok"} == {}
        url = new.do("env", "connect", made["name"], "--show-password", "-o", "json").json["url"]
        with psycopg.connect(url) as connection:
            people = {name for (name,) in connection.execute("SELECT person FROM raw.greetings")}
        assert len(people) == 2 and people.isdisjoint({"Ada Lovelace", "Grace Hopper"})
        assert [e["name"] for e in new.do("env", "ls", "-o", "json").json] == [made["name"], "production"]

        root = Path(new.do("env", "status", made["name"], "-o", "json").json["root"])
        new.do("env", "down", made["name"], "--yes")
        assert leftovers(root, [made["warehouse"]["port"]]).lines() == []
        new.do("env", "down", "production", "--yes", "--force")
        assert not os.listdir(root.parent)
