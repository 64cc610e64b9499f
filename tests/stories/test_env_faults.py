"""What goes wrong around environments: odd paths and names, branches that move, edits, stolen ports, damaged files.

The platform lies below a folder with a space and letters beyond ASCII in its name, so each of these stories is one of
such paths as well.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.mortal_environments import check_gone, contents
from support.obstacles import greedy, read_only
from support.scratch_git import commit, git
from support.scratch_platform import ScratchPlatform, scratch_platform

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop() -> Iterator[ScratchPlatform]:
    with scratch_platform(repo="Döner & Söhne's repo", home="ein Zuhause 100% ü") as platform:
        platform.produce()
        yield platform


@pytest.fixture(autouse=True)
def _nothing_left(shop: ScratchPlatform) -> Iterator[None]:
    """What a failing test leaves is removed, so that the next one tells its own story."""
    yield
    for environment in shop.do("env", "ls", "-o", "json").json:
        if environment["role"] == "replica":
            shop.do("env", "down", environment["name"], "--yes", "--force")


def up(shop: ScratchPlatform, branch: str) -> dict[str, Any]:
    report: dict[str, Any] = shop.do("env", "up", "--branch", branch, "-o", "json").json
    return report


def down(shop: ScratchPlatform, name: str, *words: str) -> None:
    shop.do("env", "down", name, "--yes", *words)
    check_gone(shop, name)


def root(shop: ScratchPlatform, name: str) -> Path:
    return next(shop.home.glob("platforms/*")) / "environments" / name


def query(shop: ScratchPlatform, name: str, text: str) -> list[Any]:
    url = shop.do("env", "connect", name, "--show-password", "-o", "json").json["url"]
    with psycopg.connect(url) as connection:
        cursor = connection.execute(text.encode())
        return cursor.fetchall() if cursor.description else []


def test_paths_with_spaces_quotes_and_letters_beyond_ascii_work(shop: ScratchPlatform) -> None:
    shop.branch("feature/größe")
    made = up(shop, "feature/größe")
    name = made["name"]
    assert name.startswith("feature-gr") and name.isascii() and made["branch"] == "feature/größe"
    assert shop.do("pipeline", "run", "sales", "--env", name, "-o", "json").json["state"] == "succeeded"
    where = shop.do("env", "exec", name, "--", "sh", "-c", "pwd; echo $LAKE_URL").stdout.splitlines()
    assert where[0].startswith(str(root(shop, name) / "code")) and "%C3%BC" in where[1]
    assert contents(shop, name).tables["raw.orders"]["rows"] == 50
    down(shop, name)


def test_a_branch_with_a_very_long_name_gets_a_short_one(shop: ScratchPlatform) -> None:
    branch = "feature/" + "x" * 232
    other = branch[:-1] + "y"
    shop.branch(branch)
    shop.branch(other)
    made, second = up(shop, branch), up(shop, other)
    assert len(branch) == 240 and len(made["name"]) <= 40 and made["name"] != second["name"]
    assert up(shop, branch)["changed"] is False
    shop.do("env", "down", second["name"], "--yes")
    assert contents(shop, made["name"]).tables["raw.orders"]["rows"] == 50
    down(shop, made["name"])
    check_gone(shop, second["name"])


def test_two_branches_whose_names_become_the_same_get_two_environments(shop: ScratchPlatform) -> None:
    for branch in ("team/x", "team-x"):
        shop.branch(branch)
    first, second = up(shop, "team/x"), up(shop, "team-x")
    assert first["name"] == "team-x" and second["name"].startswith("team-x-")
    assert first["warehouse"]["port"] != second["warehouse"]["port"]
    query(shop, second["name"], "CREATE TABLE raw.mine (a int)")
    shop.do("env", "down", "team-x", "--yes")
    kept = up(shop, "team-x")
    assert kept["name"] == second["name"] and kept["changed"] is False
    query(shop, second["name"], "SELECT a FROM raw.mine")
    down(shop, second["name"])


def test_a_branch_that_was_rewritten_moves_its_replica_and_one_that_was_deleted_leaves_it(
    shop: ScratchPlatform,
) -> None:
    shop.branch("feature/rewritten", {"note.txt": "first\n"})
    first = up(shop, "feature/rewritten")
    query(shop, "feature-rewritten", "CREATE TABLE raw.mine (a int)")
    git(shop.folder, "branch", "--quiet", "-D", "feature/rewritten")
    shop.branch("feature/rewritten", {"note.txt": "second\n"})
    git(shop.folder, "reflog", "expire", "--expire=now", "--all")
    git(shop.folder, "gc", "--quiet", "--prune=now")
    second = up(shop, "feature/rewritten")
    assert second["commit"] != first["commit"] and second["warehouse"] == first["warehouse"]
    assert shop.do("env", "exec", "feature-rewritten", "--", "cat", "note.txt").stdout == "second\n"
    query(shop, "feature-rewritten", "SELECT a FROM raw.mine")

    git(shop.folder, "branch", "--quiet", "-D", "feature/rewritten")
    refused = shop.run("env", "up", "--branch", "feature/rewritten")
    assert refused.status == 6 and "branch feature/rewritten is gone" in refused.stderr
    assert all(part["answers"] for part in shop.do("env", "status", "feature-rewritten", "-o", "json").json["parts"])
    query(shop, "feature-rewritten", "SELECT a FROM raw.mine")
    down(shop, "feature-rewritten")


def test_code_that_was_edited_in_place_is_not_moved_to_another_commit(shop: ScratchPlatform) -> None:
    shop.branch("feature/edited")
    made = up(shop, "feature/edited")
    edited = Path(made["code"]) / "pipelines" / "marts.py"
    edited.write_text("# my only copy\n")
    git(shop.folder, "switch", "--quiet", "feature/edited")
    commit(shop.folder, {"note.txt": "on\n"}, "Go on")
    git(shop.folder, "switch", "--quiet", "main")
    refused = shop.run("env", "up", "--branch", "feature/edited")
    assert refused.status == 5 and "pipelines/marts.py" in refused.stderr and "commit that work" in refused.stderr
    assert edited.read_text() == "# my only copy\n"
    assert shop.do("env", "status", "feature-edited", "-o", "json").json["state"] == "ready"
    down(shop, "feature-edited", "--force")


def test_a_port_that_is_taken_between_choice_and_use_is_given_up_for_another(shop: ScratchPlatform) -> None:
    shop.branch("feature/greedy")
    place = root(shop, "feature-greedy")

    def of_postgres() -> int:
        return int((place / "postgres" / "dataops.port").read_text())

    def of_service() -> int:
        program = json.loads((place / "supervisor" / "programs" / "service-sales-api.json").read_text())
        return int(program["variables"]["PORT"])

    choices: list[Callable[[], int]] = [of_postgres, of_service]
    with greedy(choices) as taken:
        made = up(shop, "feature/greedy")
        used = {made["warehouse"]["port"], int(made["urls"]["sales-api"].rpartition(":")[2])}
        assert len(taken) == 2 and not used & set(taken)
        contents(shop, "feature-greedy")
    assert up(shop, "feature/greedy")["changed"] is False
    down(shop, "feature-greedy")


def test_a_damaged_snapshot_is_refused_by_name_and_leaves_the_replicas_of_others_alone(shop: ScratchPlatform) -> None:
    shop.branch("feature/damaged")
    for golden in shop.home.glob("platforms/*/golden/[!.]*"):
        subprocess.run(["chmod", "-R", "u+w", str(golden)], check=True)
        subprocess.run(["rm", "-rf", str(golden)], check=True)
    (store,) = shop.home.glob("platforms/*/snapshots")
    files = sorted(path for place in ("2*/*", "chunks/*/*") for path in store.glob(place))
    assert len(files) > 4
    for file in files:
        mode, whole = file.stat().st_mode, file.read_bytes()
        file.chmod(0o600)
        file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        refused = shop.run("env", "up", "--branch", "feature/damaged")
        file.write_bytes(whole)
        file.chmod(mode)
        assert refused.status == 11, (file, refused.stderr)
        assert file.name in refused.stderr or "manifest" in refused.stderr, (file, refused.stderr)
    assert contents(shop, "production").tables["raw.orders"]["rows"] == 50
    up(shop, "feature/damaged")
    down(shop, "feature-damaged")


@pytest.mark.parametrize("victim", ["postgres", "supervisor"])
def test_what_dies_under_a_query_ends_the_query_and_is_brought_back(shop: ScratchPlatform, victim: str) -> None:
    shop.branch(f"feature/query-{victim}")
    made = up(shop, f"feature/query-{victim}")
    name = made["name"]
    query(shop, name, "CREATE TABLE raw.mine AS SELECT 7 AS a")
    program = (
        "import os, psycopg; c = psycopg.connect(os.environ['WAREHOUSE_URL']); print('on', flush=True); "
        "c.execute('SELECT pg_sleep(60)')"
    )
    python = Path(sys.executable)
    running = shop.start("env", "exec", name, "--", str(python), "-c", program)
    assert running.stdout is not None and running.stdout.readline() == "on\n"
    pid_file = {"postgres": "postgres/postmaster.pid", "supervisor": "supervisor/supervisord.pid"}[victim]
    os.kill(int((root(shop, name) / pid_file).read_text().split()[0]), 9)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 1 and "psycopg." in said and "defect" not in said
    again = up(shop, f"feature/query-{victim}")
    assert again["warehouse"] == made["warehouse"]
    assert query(shop, name, "SELECT a FROM raw.mine") == [(7,)]
    contents(shop, name)
    down(shop, name)


def test_a_machine_that_restarts_brings_its_environments_back_with_their_data(shop: ScratchPlatform) -> None:
    shop.branch("feature/restart")
    made = up(shop, "feature/restart")
    query(shop, "feature-restart", "CREATE TABLE raw.mine AS SELECT 7 AS a")
    before = contents(shop, "production")
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        for name in ("production", "feature-restart"):
            _lose_power(root(shop, name), stranger.pid)
        dead = shop.do("env", "ls", "-o", "json").json
        assert not any(part["answers"] for e in dead for part in e["parts"] if part["name"] != "code")
        again = up(shop, "feature/restart")
        assert again["warehouse"] == made["warehouse"] and again["urls"] == made["urls"]
        assert query(shop, "feature-restart", "SELECT a FROM raw.mine") == [(7,)]
        shop.do("env", "deploy", "production", "--yes")
        assert contents(shop, "production") == before
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    down(shop, "feature-restart")


def _lose_power(folder: Path, stranger: int) -> None:
    """Kills all that runs; their process ids belong to a stranger afterwards, and the folders in /tmp are gone."""
    from dataops.envs.sweep import processes_of
    from dataops.infra.process.sockets import fallback_directory

    for pid in processes_of(folder):
        subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)
    while processes_of(folder):
        pass
    for place in (folder / "postgres", folder / "supervisor"):
        subprocess.run(["rm", "-rf", str(fallback_directory(place))], check=True)
    for note in (folder / "postgres/postmaster.pid", folder / "supervisor/supervisord.pid"):
        lines = note.read_text().split("\n")
        note.write_text("\n".join([str(stranger), *lines[1:]]))


def test_a_home_that_cannot_be_written_is_told_and_works_when_it_can_be_again(shop: ScratchPlatform) -> None:
    shop.branch("feature/sealed")
    for words in (("env", "up", "--branch", "feature/sealed"), ("env", "deploy", "production", "--yes")):
        refused = read_only(shop.home, shop, *words)
        assert refused.status in (2, 4), refused.stderr
        assert str(shop.home) in refused.stderr and "hint: " in refused.stderr, refused.stderr
        assert "defect" not in refused.stderr and "Traceback" not in refused.stderr
    listed = read_only(shop.home, shop, "env", "ls", "-o", "json").json
    assert [(e["name"], e["state"]) for e in listed] == [("production", "ready")]
    contents(shop, "production")
    up(shop, "feature/sealed")
    refused = read_only(shop.home, shop, "env", "down", "feature-sealed", "--yes")
    assert refused.status in (2, 4) and "defect" not in refused.stderr, refused.stderr
    contents(shop, "feature-sealed")
    down(shop, "feature-sealed")


def test_without_standard_input_nothing_is_asked_and_work_is_done(shop: ScratchPlatform) -> None:
    shop.branch("feature/closed")
    closed = ("sh", "-c", 'exec "$@" <&-', "sh")
    shop.do("env", "up", "--branch", "feature/closed", prefix=closed)
    refused = shop.run("env", "down", "feature-closed", prefix=closed)
    assert refused.status == 2 and "--yes" in refused.stderr
    contents(shop, "feature-closed")
    shop.do("env", "down", "feature-closed", "--yes", prefix=closed)
    check_gone(shop, "feature-closed")


@pytest.mark.parametrize("streams", [">&- 2>&-", "| true", "2>&1 | true"])
def test_work_is_done_to_its_end_when_nobody_reads_what_is_said(shop: ScratchPlatform, streams: str) -> None:
    git(shop.folder, "branch", "--force", "feature/unread")
    unread = ("sh", "-c", f'"$@" {streams}', "sh")
    made = shop.run("env", "up", "--branch", "feature/unread", prefix=unread)
    assert "Traceback" not in made.stderr and "defect" not in made.stderr, made.stderr
    contents(shop, "feature-unread")
    removed = shop.run("env", "down", "feature-unread", "--yes", prefix=unread)
    assert "Traceback" not in removed.stderr and "defect" not in removed.stderr, removed.stderr
    check_gone(shop, "feature-unread")


@contextmanager
def at_work(shop: ScratchPlatform, *words: str) -> Iterator[int]:
    """Holds a command in the middle of its work for the duration of the block, then lets it come to its end."""
    working = shop.start(*words)
    assert working.stderr is not None
    begun = next(line for line in working.stderr if "deployment" in line)
    working.send_signal(signal.SIGSTOP)
    try:
        yield working.pid
    finally:
        working.send_signal(signal.SIGCONT)
        _, said = working.communicate()
    assert working.returncode == 0, begun + said


def test_up_and_down_of_the_same_environment_do_not_meet(shop: ScratchPlatform) -> None:
    shop.branch("feature/meet")
    for first, second in (
        (("env", "up", "--branch", "feature/meet"), ("env", "down", "feature-meet", "--yes")),
        (("env", "down", "feature-meet", "--yes"), ("env", "up", "--branch", "feature/meet")),
    ):
        with at_work(shop, *first) as pid:
            refused = shop.run(*second)
        assert refused.status == 10 and f"pid {pid}" in refused.stderr, refused.stderr
        assert " ".join(first[:3]).removesuffix(" --branch") in refused.stderr
    check_gone(shop, "feature-meet")
    up(shop, "feature/meet")
    down(shop, "feature-meet")


@pytest.mark.parametrize("moment", [0.0, 4e9])
def test_a_clock_that_jumps_takes_the_lock_from_nobody(shop: ScratchPlatform, moment: float) -> None:
    """The holder is on this machine, so it is known to live by its process, and not by when it was last heard."""
    git(shop.folder, "branch", "--force", "feature/clock")
    lease = next(shop.home.glob("platforms/*/registry")) / "feature-clock.lease"
    with at_work(shop, "env", "up", "--branch", "feature/clock") as pid:
        lease.write_text(json.dumps({**json.loads(lease.read_text()), "heartbeat": moment, "since": moment}))
        refused = shop.run("env", "up", "--branch", "feature/clock")
    assert refused.status == 10 and f"pid {pid}" in refused.stderr, refused.stderr
    down(shop, "feature-clock")
