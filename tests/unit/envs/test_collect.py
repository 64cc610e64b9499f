"""Each kind of trace is made by hand here; what `kill -9` leaves for real is in the stories."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dataops.cli.wiring import environment_tools
from dataops.envs.collect import CollectionPlan, perform, plan
from dataops.envs.lock import hold, lease_path
from dataops.envs.registry import EnvironmentRecord, Registry
from dataops.envs.sweep import end_processes
from dataops.infra.platform.layout import PlatformLayout
from dataops.infra.platform.records import write_record
from dataops.infra.process.sockets import fallback_directory, make_socket_directory
from dataops.infra.providers.local.git_worktree import ensure_worktree
from support.scratch_git import commit, git, repository

SNAPSHOT = "20260101T000000Z-0123456789ab"


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[PlatformLayout]:
    layout = PlatformLayout.of("shop", repository(tmp_path / "repo") / ".git", tmp_path / "home")
    layout.registry.mkdir(parents=True)
    yield layout
    end_processes(tmp_path)


def record(layout: PlatformLayout, tmp_path: Path, name: str) -> EnvironmentRecord:
    made = EnvironmentRecord(
        name=name, platform="shop", role="replica", branch=name, commit="c", repository=str(tmp_path / "repo" / ".git"),
        directory="", root=str(layout.environment(name).root), backend=f"file://{tmp_path}/state", project="shop",
        stack=name, passphrase={}, snapshot=SNAPSHOT,
    )  # fmt: skip
    return Registry(layout.registry).save(made)


def environment(layout: PlatformLayout, name: str) -> Path:
    root = layout.environment(name).root
    (root / "supervisor").mkdir(parents=True)
    (root / "supervisor" / "supervisord.conf").write_text("x")
    return root


def look(layout: PlatformLayout) -> CollectionPlan:
    return plan(layout, environment_tools())


def kinds(made: CollectionPlan) -> list[tuple[str, str]]:
    return [(finding.kind, finding.name) for finding in made.findings]


def collect(layout: PlatformLayout) -> list[str]:
    """Removes what nobody owns, and tells why anything was left."""
    told: list[str] = []
    outcome = perform(look(layout), layout, environment_tools(), lambda finding, why: told.append(why))
    assert len(told) == len(outcome.plan.findings)
    return [why for why in told if why]


def dead_lease(layout: PlatformLayout, name: str) -> None:
    with hold(layout.registry, name, f"env up --branch {name}"):
        text = lease_path(layout.registry, name).read_text()
    ended = subprocess.Popen(["true"])
    ended.wait()
    lease_path(layout.registry, name).write_text(text.replace(str(os.getpid()), str(ended.pid)))


def test_a_folder_that_no_record_names_is_found_told_and_removed(layout: PlatformLayout, tmp_path: Path) -> None:
    root, owned = environment(layout, "lost"), environment(layout, "owned")
    record(layout, tmp_path, "owned")
    made = look(layout)
    (finding,) = made.findings
    assert (finding.kind, finding.place) == ("environment", str(root)) and finding.bytes > 0
    assert "supervisor/supervisord.conf" in finding.ours and "no record names lost" in finding.unowned
    assert root.exists()
    assert collect(layout) == []
    assert not root.exists() and owned.exists() and look(layout).findings == ()


def test_a_half_removed_folder_is_finished(layout: PlatformLayout) -> None:
    doomed = layout.environment("gone").root.with_name(".gone.removed")
    doomed.mkdir(parents=True)
    assert kinds(look(layout)) == [("environment", "gone")]
    assert collect(layout) == [] and not doomed.exists()


def test_what_cannot_be_proved_is_kept_and_told(layout: PlatformLayout, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    environments = layout.root / "environments"
    (environments / "notes").mkdir(parents=True)
    (environments / "notes" / "mine.txt").write_text("mine")
    (environments / "linked").symlink_to(tmp_path / "precious")
    (environments / "Not A Name").mkdir()
    environment(layout, "production")
    made = look(layout)
    assert made.findings == ()
    assert sorted(Path(kept.place).name for kept in made.kept) == ["Not A Name", "linked", "notes", "production"]
    assert collect(layout) == [] and (tmp_path / "precious").exists() and (environments / "notes" / "mine.txt").exists()


def test_a_record_that_cannot_be_read_still_owns(layout: PlatformLayout) -> None:
    environment(layout, "torn")
    Registry(layout.registry).path("torn").write_text('{"name": "to')
    assert look(layout).findings == ()


def test_a_living_lease_protects_everything_of_its_environment(layout: PlatformLayout) -> None:
    root = environment(layout, "busy")
    with hold(layout.registry, "busy", "env up"):
        made = look(layout)
        assert made.findings == () and "is at work: env up" in made.kept[0].why
    found = look(layout)
    with hold(layout.registry, "busy", "env up"):
        told: list[str] = []
        perform(found, layout, environment_tools(), lambda finding, why: told.append(why))
    assert len(told) == 1 and "is at work" in told[0] and root.exists()


def test_what_gets_an_owner_or_is_replaced_in_between_is_left(layout: PlatformLayout, tmp_path: Path) -> None:
    root, other = environment(layout, "claimed"), environment(layout, "replaced")
    found = look(layout)
    record(layout, tmp_path, "claimed")
    other.rename(other.with_name("elsewhere"))
    environment(layout, "replaced")
    told: list[str] = []
    perform(found, layout, environment_tools(), lambda finding, why: told.append(why))
    assert told == ["there is a record of it now", "it is another folder now"] and root.exists() and other.exists()


def test_processes_are_known_by_where_they_work_and_by_their_mark(layout: PlatformLayout, tmp_path: Path) -> None:
    root = environment(layout, "lost")
    code = "import time; print('up', flush=True); time.sleep(600)"
    marked = {**os.environ, "DATAOPS_ROOT": str(root)}
    others = PlatformLayout(layout.home, "other-12345678").environment("lost").root
    others.mkdir(parents=True)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, *words],
            cwd=cwd, env=env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
        )
        for cwd, env, words in (
            (root, None, []), (tmp_path, marked, []), (others, None, []), (tmp_path, None, [str(root)]),
        )
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None and process.stdout.readline() == b"up\n"
        process.stdout.close()
    try:
        found = [int(f.identity[0]) for f in look(layout).findings if f.kind == "process"]
        assert sorted(found) == sorted(process.pid for process in started[:2])
        record(layout, tmp_path, "lost")
        assert look(layout).findings == ()
        Registry(layout.registry).remove("lost")
        started[3].kill()
        started[3].wait()
        assert collect(layout) == []
        assert [process.poll() is None for process in started] == [False, False, True, False]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_socket_folders_say_what_they_stand_for(layout: PlatformLayout) -> None:
    lost = layout.environment("lost").postgres
    other = PlatformLayout(layout.home, "other-12345678").environment("lost").postgres
    for place in (lost, other):
        make_socket_directory(fallback_directory(place), place)
    try:
        assert [finding.place for finding in look(layout).findings] == [str(fallback_directory(lost))]
        assert collect(layout) == []
        assert not fallback_directory(lost).exists() and fallback_directory(other).exists()
    finally:
        for place in (lost, other):
            (fallback_directory(place) / "stands-for").unlink(missing_ok=True)
            if fallback_directory(place).exists():
                fallback_directory(place).rmdir()


def test_golden_directories_of_snapshots_that_are_gone(layout: PlatformLayout, tmp_path: Path) -> None:
    def golden(name: str, snapshot: str) -> Path:
        folder = layout.golden / name
        (folder / "postgres").mkdir(parents=True)
        (folder / "golden.json").write_text(f'{{"snapshot": "{snapshot}"}}')
        (folder / "postgres").chmod(0o500)
        return folder

    gone, used = "20250101T000000Z-000000000000", "20250202T000000Z-000000000000"
    unused, half = golden(f"{gone}_18_c", gone), golden(f".partial-{SNAPSHOT}_18_c", SNAPSHOT)
    kept, strange = golden(f"{used}_18_c", used), golden("20250303T000000Z-000000000000_18_c", "other")
    present = golden(f"{SNAPSHOT}_18_c", SNAPSHOT)
    (layout.snapshots / SNAPSHOT).mkdir(parents=True)
    Registry(layout.registry).save(replace(record(layout, tmp_path, "owned"), snapshot=used))
    made = look(layout)
    assert {finding.place for finding in made.findings} == {str(unused), str(half)}
    assert [Path(k.place) for k in made.kept] == [strange]
    assert collect(layout) == []
    assert not unused.exists() and not half.exists() and kept.exists() and strange.exists() and present.exists()


def test_half_made_snapshots_and_golden_directories_of_the_living_are_left(layout: PlatformLayout) -> None:
    import fcntl

    (layout.snapshots / ".partial-1").mkdir(parents=True)
    (layout.golden / ".partial-x_1_c").mkdir(parents=True)
    locks = [layout.snapshots / ".lock", layout.golden / ".x_1_c.lock"]
    with open(locks[0], "w") as one, open(locks[1], "w") as two:
        for lock in (one, two):
            fcntl.flock(lock, fcntl.LOCK_EX)
        made = look(layout)
        assert made.findings == () and len(made.kept) == 2
    assert kinds(look(layout)) == [("golden", ""), ("snapshot", "")]
    assert collect(layout) == [] and list(layout.snapshots.glob(".partial*")) == []


def test_the_lease_of_a_dead_process_goes_unless_there_is_a_record(layout: PlatformLayout, tmp_path: Path) -> None:
    dead_lease(layout, "lost")
    dead_lease(layout, "owned")
    record(layout, tmp_path, "owned")
    write_record(layout.registry / "x.json", {})
    (layout.registry / "x.json").rename(layout.registry / ".x.json.4194999.tmp")
    assert kinds(look(layout)) == [("lease", "lost"), ("record", "")]
    assert collect(layout) == []
    assert [path.name for path in layout.registry.glob("*.lease")] == ["owned.lease"]


def test_state_without_a_record_goes_when_it_is_provably_an_environments(
    layout: PlatformLayout, tmp_path: Path
) -> None:
    from dataops.infra.state.backend import StackReference

    record(layout, tmp_path, "owned")
    tools = environment_tools()
    backend = tools.backend(f"file://{tmp_path}/state")
    for name in ("owned", "lost", "by-hand", "production"):
        backend.create(StackReference("shop", name), tools.secrets("x", ""))
    backend.create(StackReference("other", "lost"), tools.secrets("x", ""))
    dead_lease(layout, "lost")
    dead_lease(layout, "production")
    made = look(layout)
    assert kinds(made) == [("state", "lost"), ("lease", "lost")]
    assert {"by-hand", "production"} <= {word for kept in made.kept for word in kept.place.replace("/", " ").split()}
    assert collect(layout) == []
    left = [summary.reference.qualified for summary in backend.stacks()]
    assert not [name for name in left if name.endswith("shop/lost")] and len(left) == 4


def test_uncommitted_work_is_never_collected(layout: PlatformLayout, tmp_path: Path) -> None:
    record(layout, tmp_path, "owned")
    repo = tmp_path / "repo"
    head = git(repo, "rev-parse", "HEAD")
    code = layout.environment("lost").code(head)
    ensure_worktree(repo, head, code)
    assert kinds(look(layout)) == [("environment", "lost")]
    (code / "new.txt").write_text("my only copy")
    made = look(layout)
    assert made.findings == () and "in no commit" in made.kept[0].why
    (code / "new.txt").unlink()
    commit(code, {"kept.txt": "x"}, "On no branch")
    assert look(layout).findings == () and "commit" in look(layout).kept[0].why
    git(code, "reset", "--quiet", "--hard", head)
    assert collect(layout) == [] and not code.exists()
    assert str(code) not in git(repo, "worktree", "list")


def test_a_worktree_whose_folder_is_gone_is_forgotten(layout: PlatformLayout, tmp_path: Path) -> None:
    record(layout, tmp_path, "owned")
    head = git(tmp_path / "repo", "rev-parse", "HEAD")
    code = layout.environment("lost").code(head)
    ensure_worktree(tmp_path / "repo", head, code)
    shutil.rmtree(layout.environment("lost").root)
    assert kinds(look(layout)) == [("worktree", "lost")]
    assert collect(layout) == [] and str(code) not in git(tmp_path / "repo", "worktree", "list")


def test_what_a_command_made_for_itself_is_nobodys_when_the_command_is_dead(
    layout: PlatformLayout, tmp_path: Path
) -> None:
    Registry(layout.registry).save(replace(record(layout, tmp_path, "verify-x-0a0a0a"), purpose="verify"))
    record(layout, tmp_path, "mine")
    root = environment(layout, "verify-x-0a0a0a")
    with hold(layout.registry, "verify-x-0a0a0a", "verify --branch x"):
        assert kinds(look(layout)) == []
    dead_lease(layout, "verify-x-0a0a0a")
    assert kinds(look(layout)) == [("verification", "verify-x-0a0a0a")]
    assert collect(layout) == []
    assert not root.exists() and Registry(layout.registry).names() == ["mine"]
    assert kinds(look(layout)) == []


def test_one_that_came_to_life_again_meanwhile_is_left(layout: PlatformLayout, tmp_path: Path) -> None:
    made = Registry(layout.registry).save(replace(record(layout, tmp_path, "verify-x-0a0a0a"), purpose="verify"))
    found = look(layout)
    Registry(layout.registry).save(replace(made, created="2026-01-01T00:00:00+00:00"))
    outcome = perform(found, layout, environment_tools(), lambda finding, why: None)
    assert [why for _, why in outcome.left] == ["it is another one now"]
    assert Registry(layout.registry).names() == ["verify-x-0a0a0a"]
