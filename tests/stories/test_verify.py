"""`dataops verify`: good branches pass, bad ones are refused with figures, and nothing is left, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from support.docker_engine import left_out, require_images
from support.scratch_platform import ScratchPlatform
from support.verified import BROKEN, MADE_UP, PATIENCE, WAITS, WORSE, remains, verified_platform, wait_for_step

pytestmark = pytest.mark.slow

TARGETS = ("local", pytest.param("docker", marks=pytest.mark.docker))
REFUSED = 7


@pytest.fixture(scope="module")
def platform() -> Iterator[ScratchPlatform]:
    with verified_platform() as made:
        yield made


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> str:
    if request.param == "docker":
        require_images()
    return str(request.param)


def failures(verdict: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str]]:
    return {(c["group"], c["name"]): (c["expected"], c["seen"]) for c in verdict["checks"] if c["result"] == "failed"}


def test_a_good_branch_is_verified_and_nothing_is_left(platform: ScratchPlatform, target: str) -> None:
    branch = f"feature/good-{target}"
    platform.branch(branch, {"notes.txt": "nothing that matters\n"})
    before = platform.do("env", "fingerprint", "production", "-o", "json").json
    outcome = platform.do("verify", "--branch", branch, "--target", target, "-o", "json")
    verdict = outcome.json
    assert (verdict["verdict"], verdict["target"], verdict["branch"]) == ("passed", target, branch)
    seen = {(c["group"], c["name"]): (c["result"], c["seen"]) for c in verdict["checks"]}
    assert seen["mart marts.buyers", "rows"] == ("passed", "50")
    assert seen["pipeline sales", "runs"] == ("passed", "3 succeeded")
    assert seen["service sales-api", "/healthz"] == ("passed", "200")
    assert seen["branch", "sums"] == ("passed", "exit status 0")
    assert {result for result, _ in seen.values()} == {"passed"}
    assert remains(platform) == []
    assert platform.do("env", "fingerprint", "production", "-o", "json").json == before


def test_a_branch_that_loses_rows_and_changes_a_column_is_refused_with_mart_column_and_figures(
    platform: ScratchPlatform, tmp_path: Path
) -> None:
    branch, target = "feature/worse", "local"
    platform.branch(branch, {"pipelines/marts.py": WORSE})
    junit, markdown = tmp_path / "reports" / "junit.xml", tmp_path / "verdict.md"
    outcome = platform.run(
        "verify",
        "--branch",
        branch,
        "--target",
        target,
        "-o",
        "json",
        "--junit",
        str(junit),
        "--markdown",
        str(markdown),
    )
    assert outcome.status == REFUSED, outcome.stderr
    verdict = outcome.json
    found = failures(verdict)
    assert found["mart marts.buyers", "rows"] == ("50 ± 1 %", "30 (-40.0%)")
    assert found["mart marts.sales", "column total"] == ("integer", "bigint")
    assert found["mart marts.buyers", "column spent: mean"] == ("255 ± 1 %", "155")
    assert found["branch", "sums"] == ("exit status 0", "exit status 1")
    assert "refused" in verdict["sentence"] and "of sales were bought by nobody" in outcome.stderr
    assert_reports(verdict, junit, markdown)
    published = outcome.stdout + junit.read_text() + markdown.read_text()
    assert "Customer " not in published and str(platform.home) not in published
    assert remains(platform) == []


def assert_reports(verdict: dict[str, Any], junit: Path, markdown: Path) -> None:
    root = ElementTree.parse(junit).getroot()
    cases = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
    assert root.get("tests") == str(len(verdict["checks"])) == str(len(cases))
    failed = {name: case.find("failure") for name, case in cases.items() if case.find("failure") is not None}
    assert failed.keys() == failures(verdict).keys() and root.get("failures") == str(len(failed))
    told = failed["mart marts.buyers", "rows"]
    assert told is not None and told.get("message") == "expected 50 ± 1 %; seen 30 (-40.0%)"
    lines = markdown.read_text().splitlines()
    assert lines[0].startswith("### ❌ ") and "is refused" in lines[0]
    assert "| mart marts.buyers | rows | failed | 50 ± 1 % | 30 (-40.0%) |" in lines


def test_a_branch_whose_pipeline_fails_is_refused_and_the_end_of_its_log_is_told(platform: ScratchPlatform) -> None:
    platform.branch("feature/broken", {"pipelines/marts.py": BROKEN})
    outcome = platform.run("verify", "--branch", "feature/broken", "--target", "local", "-o", "json")
    assert outcome.status == REFUSED, outcome.stderr
    assert ("pipeline sales", "runs") in failures(outcome.json)
    assert {c["result"] for c in outcome.json["checks"] if c["group"].startswith("mart ")} == {"skipped"}
    assert "division by zero" in outcome.stderr and "division by zero" not in outcome.stdout
    assert remains(platform) == []


def test_a_branch_whose_program_fails_is_refused_without_what_its_error_quotes(platform: ScratchPlatform) -> None:
    platform.branch("feature/raises", {"stacks/__main__.py": "raise ValueError('Customer 7')\n"})
    outcome = platform.run("verify", "--branch", "feature/raises", "--target", "local", "-o", "json")
    assert outcome.status == REFUSED, outcome.stderr
    assert failures(outcome.json) == {("replica", "comes up"): ("a replica of the branch", "ValueError")}
    assert "Customer 7" in outcome.stderr and "Customer 7" not in outcome.stdout
    assert remains(platform) == []


def test_a_verification_that_is_interrupted_leaves_nothing(platform: ScratchPlatform) -> None:
    platform.branch("feature/slow", {"pipelines/extract.py": WAITS})
    process = platform.start("verify", "--branch", "feature/slow", "--target", "local")
    wait_for_step(process, "extract")
    listed = {each["name"]: each["branch"] for each in platform.do("env", "ls", "-o", "json").json}
    assert sorted(listed.values()) == ["feature/slow", "main"], "it can be seen while it is there"
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 8
    assert remains(platform) == []


def test_what_a_killed_verification_leaves_is_nobodys_and_gc_removes_it(platform: ScratchPlatform) -> None:
    branch, target = "feature/killed", "local" if left_out() else "docker"
    platform.branch(branch, {"pipelines/extract.py": WAITS})
    process = platform.start("verify", "--branch", branch, "--target", target)
    wait_for_step(process, "extract")
    assert platform.do("gc", "--dry-run", "-o", "json").json[0]["findings"] == [], "it is at work"
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert remains(platform)
    (plan,) = platform.do("gc", "--dry-run", "-o", "json").json
    assert [finding["kind"] for finding in plan["findings"]] == ["verification"]
    platform.do("gc", "--yes")
    assert remains(platform) == []


WITH_A_SNAPSHOT = """\
def test_marts(platform, warehouse, lake):
    masked = warehouse.query("SELECT customer FROM raw.orders")
    assert len(masked) == 50 and not any(name.startswith("Customer ") for name, in masked)
    platform.run("sales", steps=["load", "marts"], warehouse=warehouse, lake=lake)
    assert warehouse.query("SELECT orders, total FROM marts.sales") == [(50, 12750)]
    warehouse.query("DROP TABLE raw.orders")

def test_nothing_of_other_tests_is_seen(warehouse, lake):
    assert warehouse.query("SELECT count(*) FROM raw.orders") == [(50,)]
    assert lake.objects() == ["raw/orders.parquet"]
"""


def test_tests_of_pipelines_may_have_the_rows_of_a_snapshot(platform: ScratchPlatform, tmp_path: Path) -> None:
    (tmp_path / "test_snapshot.py").write_text(WITH_A_SNAPSHOT)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)),
            *("--dataops-folder", str(platform.folder), "--dataops-data", "snapshot"),
        ],
        cwd=tmp_path, env=platform.variables(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert remains(platform) == []


@pytest.mark.docker
def test_without_an_engine_it_is_said_how_to_do_without(platform: ScratchPlatform) -> None:
    outcome = platform.run("verify", "--branch", "main", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert outcome.status == 4
    assert "the Docker Engine does not answer" in outcome.stderr and "--target local" in outcome.stderr
    assert remains(platform) == []


def test_without_a_snapshot_it_is_said_how_to_do_without() -> None:
    with verified_platform(produced=False) as fresh:
        outcome = fresh.run("verify", "--branch", "main", "--target", "local", "--log-format", "json")
        assert outcome.status == 6
        told = json.loads(outcome.stderr.splitlines()[-1])
        assert told["error"] == "there is no snapshot yet" and "--data synthetic" in told["hint"]
        assert fresh.roots() == []


def test_made_up_rows_prove_a_branch_where_there_is_neither_production_nor_a_snapshot() -> None:
    with verified_platform(produced=False, more=MADE_UP) as fresh:
        fresh.branch("feature/worse", {"pipelines/marts.py": WORSE})
        words = ("--branch", "feature/worse", "--target", "local", "--data", "synthetic", "--seed", "7", "-o", "json")
        outcome = fresh.run("verify", *words)
        assert outcome.status == REFUSED, outcome.stderr
        found = failures(outcome.json)
        assert found["mart marts.sales", "column total"] == ("integer", "bigint")
        assert ("mart marts.buyers", "rows") in found and "seed 7" in outcome.json["source"]
        marts = {c["name"]: c for c in outcome.json["checks"] if c["group"] == "mart marts.sales"}
        assert marts["statistics"]["result"] == "passed", "120 orders are there, and both commits count them"
        assert "sales: without extract: what that brings in is made up" in outcome.stderr
        assert remains(fresh) == []
