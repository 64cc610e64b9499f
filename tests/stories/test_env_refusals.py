"""What is refused, and how: each error says what, where, what to do next, and has its own exit status."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.scratch_git import commit, git
from support.scratch_platform import FILES, ScratchPlatform, scratch_platform

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bare() -> Iterator[ScratchPlatform]:
    """A platform of which nothing is deployed yet."""
    with scratch_platform() as platform:
        yield platform


def test_an_unknown_branch_names_the_nearest(bare: ScratchPlatform) -> None:
    git(bare.folder, "branch", "feature/known")
    refused = bare.run("env", "up", "--branch", "feature/knwon")
    assert refused.status == 6 and "feature/knwon" in refused.stderr and "feature/known" in refused.stderr


def test_a_folder_outside_of_git_is_told(bare: ScratchPlatform) -> None:
    bare.home.mkdir(exist_ok=True)
    refused = bare.run("env", "up", "--branch", "main", cwd=bare.home)
    assert refused.status == 6 and "not in a git repository" in refused.stderr and "dataops init" in refused.stderr


def test_without_a_snapshot_no_replica_comes_up_and_nothing_is_recorded(bare: ScratchPlatform) -> None:
    refused = bare.run("env", "up", "--branch", "main")
    assert refused.status == 6 and "dataops snapshot capture" in refused.stderr
    assert bare.do("env", "ls", "-o", "json").json == []


def test_an_unknown_key_is_told_with_its_line_and_the_nearest_known_one(bare: ScratchPlatform) -> None:
    git(bare.folder, "switch", "--quiet", "-c", "feature/typo")
    commit(bare.folder, {"dataops.yaml": FILES["dataops.yaml"].replace("pipelines:", "pipeline:")}, "Typo")
    refused = bare.run("env", "up", "--branch", "feature/typo")
    git(bare.folder, "switch", "--quiet", "main")
    assert refused.status == 2 and "dataops.yaml:6" in refused.stderr and "pipelines" in refused.stderr


def test_production_is_deployed_from_its_branch_in_a_clean_tree_only(bare: ScratchPlatform) -> None:
    (bare.folder / "scratch.txt").write_text("x")
    dirty = bare.run("env", "deploy", "production", "--yes")
    (bare.folder / "scratch.txt").unlink()
    git(bare.folder, "switch", "--quiet", "-c", "feature/other")
    wrong = bare.run("env", "deploy", "production", "--yes")
    git(bare.folder, "switch", "--quiet", "main")
    assert dirty.status == 5 and "scratch.txt" in dirty.stderr
    assert wrong.status == 5 and "git switch main" in wrong.stderr
    assert bare.do("env", "ls", "-o", "json").json == []


def test_without_anybody_to_ask_deploying_needs_yes(bare: ScratchPlatform) -> None:
    refused = bare.run("env", "deploy", "production")
    assert refused.status == 2 and "dataops env deploy production --yes" in refused.stderr
    assert bare.run("env", "deploy", "feature-x", "--yes").status == 2


def test_an_unknown_environment_names_the_nearest(shop: ScratchPlatform) -> None:
    for words in (["status"], ["connect"], ["down", "--yes"], ["fingerprint"], ["shell"]):
        refused = shop.run("env", words[0], "prodution", *words[1:])
        assert refused.status == 6 and "production" in refused.stderr
    assert shop.run("env", "exec", "nowhere", "--", "true").status == 6
    assert shop.run("env", "status", "../../etc").status == 2


def test_a_wrong_passphrase_is_told_before_anything_runs(shop: ScratchPlatform) -> None:
    shop.branch("feature/locked")
    shop.branch("feature/locked-too")
    shop.do("env", "up", "--branch", "feature/locked-too")
    file = shop.folder / ".dataops" / "passphrase"
    right = file.read_text()
    file.write_text("wrong\n")
    refused = shop.run("env", "up", "--branch", "feature/locked")
    redeployed = shop.run("env", "deploy", "production", "--yes")
    removed = shop.run("env", "down", "feature-locked-too", "--yes")
    file.unlink()
    missing = shop.run("env", "up", "--branch", "feature/locked")
    file.touch(mode=0o600)
    file.write_text(right)
    for outcome in (refused, redeployed, removed, missing):
        assert outcome.status == 3 and "passphrase" in outcome.stderr
    found = shop.do("env", "ls", "-o", "json").json
    assert [(e["name"], e["state"]) for e in found] == [("feature-locked-too", "ready"), ("production", "ready")]
    assert all(part["answers"] for e in found for part in e["parts"])
    file.write_text("wrong\n")
    shop.do("env", "down", "feature-locked-too", "--yes", "--force")
    file.write_text(right)
    assert len(shop.roots()) == 1


def test_a_program_with_a_syntax_error_shows_the_line_of_the_team(shop: ScratchPlatform) -> None:
    shop.branch("feature/broken", {"stacks/__main__.py": "from dataops.stacks import deploy\n\ndeploy(\n"})
    refused = shop.run("env", "up", "--branch", "feature/broken")
    assert refused.status == 1 and "SyntaxError" in refused.stderr and "stacks/__main__.py" in refused.stderr
    assert "infra/engine" not in refused.stderr
    shop.do("env", "down", "feature-broken", "--yes")


def test_a_resource_of_an_unknown_provider_names_resource_and_package(shop: ScratchPlatform) -> None:
    program = (
        "import pulumi\nfrom dataops.stacks import deploy\n\ndeploy()\n"
        "pulumi.CustomResource('nowhere:index:Thing', 'my-thing', {})\n"
    )
    shop.branch("feature/unknown", {"stacks/__main__.py": program})
    refused = shop.run("env", "up", "--branch", "feature/unknown")
    assert refused.status != 0 and "nowhere" in refused.stderr and "my-thing" in refused.stderr
    shop.do("env", "down", "feature-unknown", "--yes")


def test_a_failing_step_shows_the_end_of_its_log(shop: ScratchPlatform) -> None:
    failing = {"pipelines/load.py": "print('row 17 of orders has no key', flush=True)\nraise SystemExit(4)\n"}
    shop.branch("feature/failing", failing)
    shop.do("env", "up", "--branch", "feature/failing")
    refused = shop.run("pipeline", "run", "sales", "--env", "feature-failing")
    assert refused.status == 1 and "row 17 of orders has no key" in refused.stderr and "step load" in refused.stderr
    (run,) = shop.do("pipeline", "runs", "--env", "feature-failing", "-o", "json").json
    assert [s["state"] for s in run["steps"]] == ["succeeded", "failed", "skipped"]
    assert shop.run("pipeline", "run", "sale", "--env", "feature-failing").status == 6
    shop.do("env", "down", "feature-failing", "--yes")


def test_a_replica_whose_variables_point_at_production_is_refused(shop: ScratchPlatform) -> None:
    port = shop.do("env", "status", "production", "-o", "json").json["warehouse"]["port"]
    pointed = FILES["dataops.yaml"].replace(
        "{GREETING: hi}", "{" + f"FEED: 'postgresql://x:hunter2@127.0.0.1:{port}/shop'" + "}"
    )
    shop.branch("feature/leak", {"dataops.yaml": pointed})
    refused = shop.run("env", "up", "--branch", "feature/leak")
    assert refused.status == 5 and "FEED" in refused.stderr and "hunter2" not in refused.stderr
    assert len(shop.roots()) == 1


def test_two_at_once_do_not_meet_and_the_second_is_told_who_is_at_work(shop: ScratchPlatform) -> None:
    shop.branch("feature/race")
    first = shop.start("env", "up", "--branch", "feature/race")
    lease = next(shop.home.glob("platforms/*/registry")) / "feature-race.lease"
    while not lease.exists():
        assert first.poll() is None
    second = shop.run("env", "up", "--branch", "feature/race")
    _, said = first.communicate()
    assert first.returncode == 0, said
    assert (
        second.status == 10 and f"pid {first.pid}" in second.stderr and "env up --branch feature/race" in second.stderr
    )
    shop.do("env", "down", "feature-race", "--yes")
