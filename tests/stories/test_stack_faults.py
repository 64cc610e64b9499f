"""What a user meets when something is wrong: told early, exactly, and with a way out."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.console import Console, project
from support.programs import SHELVES

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The folder where shelves are."""
    (tmp_path / "world").mkdir()
    return tmp_path / "world"


@pytest.fixture
def shop(tmp_path: Path, world: Path) -> Callable[[str], Console]:
    """Makes a project with a stack `dev` and the given program."""

    def make(program: str) -> Console:
        console = project(tmp_path / "shop", program, WORLD=str(world))
        console.stack("init", "dev")
        return console

    return make


def wait_for(condition: Callable[[], bool]) -> None:
    """Until something holds; a minute is more than any machine needs."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_a_wrong_passphrase_is_told_before_anything_runs(shop: Callable[[str], Console], world: Path) -> None:
    console = shop(SHELVES + 'Path(os.environ["WORLD"], "ran").touch()\nShelf("a", size=1)\n')
    console.stack("config", "set", "--secret", "key", "x")
    for words in (("up", "--yes"), ("preview",), ("destroy", "--yes"), ("refresh", "--yes")):
        outcome = console.run("stack", *words, variables={"PULUMI_CONFIG_PASSPHRASE": "wrong"})
        assert outcome.status == 3, outcome.stderr
        assert "passphrase" in outcome.stderr
    assert list(world.iterdir()) == []
    assert console.stack("history", "--json").json == []


def test_a_wrong_passphrase_is_told_even_when_nothing_is_secret_yet(
    shop: Callable[[str], Console], world: Path
) -> None:
    console = shop(SHELVES + 'Path(os.environ["WORLD"], "ran").touch()\n')
    assert console.run("stack", "up", "--yes", variables={"PULUMI_CONFIG_PASSPHRASE": "wrong"}).status == 3
    assert list(world.iterdir()) == []


def test_a_syntax_error_shows_the_users_own_line(shop: Callable[[str], Console]) -> None:
    console = shop("import pulumi\nvalue = (1,\n")
    outcome = console.run("stack", "up", "--yes")
    assert outcome.status == 1
    assert f'File "{console.folder}/__main__.py", line 2' in outcome.stderr
    assert "SyntaxError" in outcome.stderr
    assert "site-packages" not in outcome.stderr
    assert "runpy" not in outcome.stderr


def test_an_exception_shows_a_traceback_of_the_users_files(shop: Callable[[str], Console]) -> None:
    console = shop("import pulumi\nfrom shelf import build\n\nbuild(0)\n")
    console.write("shelf.py", "def build(size):\n    return 1 / size\n")
    outcome = console.run("stack", "up", "--yes")
    assert outcome.status == 1
    assert f'File "{console.folder}/shelf.py", line 2' in outcome.stderr
    assert "ZeroDivisionError: division by zero" in outcome.stderr
    assert "site-packages" not in outcome.stderr


def test_a_failing_resource_is_named_and_the_rest_is_kept(shop: Callable[[str], Console], world: Path) -> None:
    console = shop(SHELVES + 'Shelf("good", size=1)\nShelf("bad", size=1, fail=config.get_bool("fail") is not False)\n')
    outcome = console.run("stack", "up", "--yes", "--skip-preview", "--continue-on-error")
    assert outcome.status == 1
    assert "pulumi-python:dynamic:Resource (bad)" in outcome.stderr
    assert "no wood for bad" in outcome.stderr
    assert console.stack("history", "--json").json[0]["result"] == "failed"
    console.stack("config", "set", "fail", "false")
    console.stack("up", "--yes")
    assert sorted(path.name for path in world.iterdir()) == ["bad", "good"]


def test_an_unknown_provider_is_named(shop: Callable[[str], Console]) -> None:
    console = shop(
        'import pulumi\npulumi.CustomResource("nowhere:index:Thing", "lost", {})\n',
    )
    outcome = console.run("stack", "up", "--yes", "--skip-preview")
    assert outcome.status in (1, 4)
    assert "nowhere" in outcome.stderr
    assert "defect" not in outcome.stderr


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("name: shop\nruntime: go\n", 2, "'go'"),
        ("name: shop\nmain: [a]\nruntime: python\n", 2, "'main' must be text"),
        ("name: shop\nruntime: python\n  bad: - indent\n", 3, "not valid YAML"),
    ],
)
def test_a_bad_project_file_is_named_with_its_line(
    shop: Callable[[str], Console], text: str, line: int, said: str
) -> None:
    console = shop("")
    console.write("Pulumi.yaml", text)
    outcome = console.run("stack", "up", "--yes")
    assert outcome.status == 2
    assert f"Pulumi.yaml:{line}: " in outcome.stderr
    assert said in outcome.stderr


def test_a_program_that_is_not_there_is_said(shop: Callable[[str], Console]) -> None:
    console = shop("")
    (console.folder / "__main__.py").unlink()
    outcome = console.run("stack", "up", "--yes")
    assert outcome.status == 2
    assert "__main__.py" in outcome.stderr


def test_of_two_updates_at_once_the_second_names_the_holder(shop: Callable[[str], Console], world: Path) -> None:
    console = shop(SHELVES + 'Shelf("slow", size=1, slow=120)\n')
    first = console.start("stack", "up", "--yes", "--skip-preview")
    try:
        wait_for((world / "slow.started").exists)
        second = console.run("stack", "up", "--yes", "--skip-preview")
        assert second.status == 10
        assert f"pid {first.pid}" in second.stderr
        assert "dataops stack cancel" in second.stderr
        assert "in progress" in console.stack("ls").stdout
    finally:
        first.kill()
        first.communicate()


def test_a_killed_update_is_recovered_by_the_next(shop: Callable[[str], Console], world: Path) -> None:
    console = shop(
        SHELVES + 'a = Shelf("a", size=1)\n'
        'Shelf("slow", size=1, slow=config.get("slow"), opts=pulumi.ResourceOptions(depends_on=[a]))\n'
    )
    console.stack("config", "set", "slow", "120")
    killed = console.start("stack", "up", "--yes", "--skip-preview")
    wait_for((world / "slow.started").exists)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert sorted(path.name for path in world.iterdir()) == ["a", "slow.started"]

    state = console.stack("export").json["deployment"]
    assert any(found["urn"].endswith("::a") for found in state["resources"])
    assert [found["type"] for found in state["pending_operations"]] == ["creating"]

    console.stack("config", "rm", "slow")
    outcome = console.stack("up", "--yes", "--skip-preview")
    assert "unchanged" in outcome.stdout
    assert sorted(path.name for path in world.iterdir() if path.suffix == "") == ["a", "slow"]
    console.stack("destroy", "--yes")
    assert sorted(path.name for path in world.iterdir()) == ["slow.started"]


def test_a_torn_journal_tail_loses_only_what_was_never_reported(shop: Callable[[str], Console], world: Path) -> None:
    console = shop(
        SHELVES + 'a = Shelf("a", size=1)\n'
        'Shelf("slow", size=1, slow=config.get("slow"), opts=pulumi.ResourceOptions(depends_on=[a]))\n'
    )
    console.stack("config", "set", "slow", "120")
    killed = console.start("stack", "up", "--yes", "--skip-preview")
    wait_for((world / "slow.started").exists)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    (journal,) = console.state.glob(".pulumi/stacks/shop/dev.json.journal")
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-3])

    console.stack("config", "rm", "slow")
    console.stack("up", "--yes", "--skip-preview")
    names = [found["urn"].rpartition("::")[2] for found in console.stack("export").json["deployment"]["resources"]]
    assert sorted(names) == ["a", "default", "shop-dev", "slow"]


def test_an_interrupted_update_ends_and_records_what_was_done(shop: Callable[[str], Console], world: Path) -> None:
    console = shop(
        SHELVES + 'a = Shelf("a", size=1)\nShelf("slow", size=1, slow=3, opts=pulumi.ResourceOptions(depends_on=[a]))\n'
    )
    process = console.start("stack", "up", "--yes", "--skip-preview")
    wait_for((world / "slow.started").exists)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 8, told
    state = console.stack("export").json["deployment"]
    assert any(found["urn"].endswith("::a") for found in state["resources"])
    assert console.stack("up", "--yes", "--skip-preview").status == 0


def test_a_lost_journal_is_listed_and_set_aside(shop: Callable[[str], Console], world: Path) -> None:
    console = shop(SHELVES + 'Shelf("a", size=1)\nShelf("slow", size=1, slow=config.get("slow"))\n')
    before = console.stack("export").stdout
    console.stack("config", "set", "slow", "120")
    killed = console.start("stack", "up", "--yes", "--skip-preview")
    wait_for(lambda: (world / "slow.started").exists() and (world / "a").exists())
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    (checkpoint,) = console.state.glob(".pulumi/stacks/shop/dev.json")
    document = json.loads(checkpoint.read_text())
    document["checkpoint"]["latest"]["manifest"]["time"] = "2026-01-01T00:00:00Z"
    checkpoint.write_text(json.dumps(document))

    console.stack("config", "rm", "slow")
    refused = console.run("stack", "up", "--yes", "--skip-preview")
    assert refused.status == 11
    assert "dataops stack recover" in refused.stderr
    (lost,) = console.stack("recover", "--json").json
    assert any(urn.endswith("::a") for _, urn, _ in lost["resources"])
    console.stack("recover", "--set-aside")
    assert console.stack("up", "--yes", "--skip-preview").status == 0
    assert before
