"""Probes: each answers in time, says what is amiss and what to type, and changes nothing."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dataops.envs.checkout import Checkout
from dataops.envs.lock import lease_path
from dataops.envs.probes import at_hand, machine, targets
from dataops.envs.probes.at_hand import PLATFORM
from dataops.envs.probes.machine import LOCAL, MACHINE
from dataops.envs.probes.probe import Finding, Probe, Scene, Verdict, examine, ok, output_of
from dataops.envs.registry import EnvironmentRecord, Registry, State
from dataops.infra.errors import NotFoundError
from dataops.infra.state.backend import open_backend
from dataops.infra.state.holder import lock_content
from support.platform_file import write_platform
from support.scratch_git import commit, repository


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    folder = repository(tmp_path / "platform", {"README": "a platform\n"})
    write_platform(folder)
    commit(folder, {}, "Describe the platform")
    return Scene(tmp_path / "home", folder, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, open_backend)


def environment(scene: Scene, **changes: object) -> Path:
    """A record of an environment, and its root."""
    layout = Checkout.find(scene.start, scene.home).layout
    root = layout.environment("feature-x").root
    root.mkdir(parents=True)
    record = EnvironmentRecord(
        name="feature-x", platform="shop", role="replica", branch="feature/x", commit="0" * 40,
        repository=str(scene.start / ".git"), directory="", root=str(root), backend="", project="shop",
        stack="feature-x", passphrase={}, state=State.READY,
    )  # fmt: skip
    Registry(layout.registry).save(replace(record, **changes))  # type: ignore[arg-type]
    return root


def test_a_probe_that_hangs_is_left_behind(scene: Scene) -> None:
    over = threading.Event()

    def hang(scene: Scene) -> Finding:
        over.wait(60)
        return ok("late")

    slow, quick = Probe("slow", "machine", hang, deadline=0.2), Probe("quick", "machine", lambda scene: ok("here"))
    first, second = examine([slow, quick], scene)
    over.set()
    assert (first.finding.verdict, first.finding.what) == (Verdict.FAILED, "no answer within 0.2 s")
    assert second.finding == ok("here")


def test_what_a_probe_raises_is_a_failure_that_is_explained(scene: Scene) -> None:
    def missing(scene: Scene) -> Finding:
        raise NotFoundError("no server", hint="install one")

    def broken(scene: Scene) -> Finding:
        return ok(str(1 // 0))

    known, unknown = examine([Probe("a", "local", missing), Probe("b", "local", broken)], scene)
    assert (known.finding.what, known.finding.hint) == ("no server", "install one")
    assert unknown.finding.verdict is Verdict.FAILED and "ZeroDivisionError" in unknown.finding.what


def test_a_program_that_does_not_end_is_ended(scene: Scene) -> None:
    assert output_of(["sleep", "60"], scene, seconds=0.1) is None
    assert output_of(["no-such-program"], scene) is None
    assert output_of(["sh", "-c", "echo $HOME"], scene) == scene.environment["HOME"]


def test_this_machine_can_have_environments_and_nothing_is_changed(scene: Scene, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    found = examine([*MACHINE, *LOCAL, *PLATFORM], scene)
    assert [d.to_json() for d in found if d.finding.verdict is Verdict.FAILED] == []
    assert sorted(p for p in tmp_path.rglob("*") if ".git" not in p.parts) == [
        p for p in before if ".git" not in p.parts
    ]


def test_missing_programs_are_told_with_what_to_install(scene: Scene, tmp_path: Path) -> None:
    bare = replace(scene, environment={"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert targets.docker(bare).hint == "apt-get install docker.io"
    assert targets.builder(bare).what.endswith("with BuildKit")
    assert targets.kubectl(bare).verdict is machine.pulumi(bare).verdict is Verdict.ABSENT
    assert targets.credentials(bare).verdict is Verdict.ABSENT
    assert targets.credentials(replace(bare, environment={"AWS_PROFILE": "x"})).what == "AWS_PROFILE is set"


def test_a_home_that_is_no_folder_is_told(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert machine.home(replace(scene, home=tmp_path / "file")).verdict is Verdict.FAILED


def test_a_target_that_this_version_lacks_is_named_as_such() -> None:
    assert targets.support("local").verdict is Verdict.OK
    assert targets.support("aws").what == "the target aws is not part of this version"


def test_a_passphrase_is_looked_for_and_never_shown(scene: Scene) -> None:
    path = scene.start / ".dataops" / "passphrase"
    assert "made at first use" in at_hand.passphrase(scene).what
    path.parent.mkdir()
    path.write_text("hunter2")
    path.chmod(0o644)
    assert at_hand.passphrase(scene).hint == f"chmod 600 {path}"
    path.chmod(0o600)
    assert at_hand.passphrase(scene).verdict is Verdict.OK and "hunter2" not in str(at_hand.passphrase(scene))
    path.unlink()
    environment(scene)
    assert at_hand.passphrase(scene).verdict is Verdict.FAILED


def test_a_passphrase_in_a_variable_or_command_is_looked_for_there(scene: Scene) -> None:
    write_platform(scene.start, "name: shop\n", "name: shop\npassphrase: {variable: SHOP_PHRASE}\n")
    assert at_hand.passphrase(scene).hint == "export SHOP_PHRASE=…"
    given = replace(scene, environment={**scene.environment, "SHOP_PHRASE": "hunter2"})
    assert at_hand.passphrase(given).what == "in SHOP_PHRASE"
    write_platform(scene.start, "name: shop\n", "name: shop\npassphrase: {command: [echo, hunter2]}\n")
    assert at_hand.passphrase(scene).what == "printed by echo"


def test_dead_parts_stale_locks_and_open_secrets_are_told_with_what_to_type(scene: Scene) -> None:
    root = environment(scene, facts={"warehouse": {"host": "127.0.0.1", "port": 9}})
    unwell = at_hand.environments(scene)
    assert unwell.verdict is Verdict.WARNING and "feature-x" in unwell.what
    assert unwell.hint == "dataops env up --branch feature/x"

    layout = Checkout.find(scene.start, scene.home).layout
    dead = lock_content(time.time(), "env up") | {"pid": 2**22 + 1}
    lease_path(layout.registry, "feature-x").write_text(json.dumps(dead))
    stale = at_hand.locks(scene)
    assert stale.verdict is Verdict.WARNING and "died during `env up`" in stale.what

    (root / "environment.env").write_text("PGPASSWORD=x\n")
    (root / "environment.env").chmod(0o640)
    assert at_hand.secret_files(scene).hint == f"chmod 600 {root}/environment.env"
    (root / "environment.env").chmod(0o600)
    assert at_hand.secret_files(scene).verdict is Verdict.OK


def test_outside_of_a_platform_nothing_is_missing(scene: Scene, tmp_path: Path) -> None:
    elsewhere = replace(scene, start=tmp_path)
    assert {d.finding.verdict for d in examine(PLATFORM, elsewhere)} <= {Verdict.ABSENT, Verdict.OK}


def test_an_invalid_platform_file_is_told_with_its_line(scene: Scene) -> None:
    write_platform(scene.start, "port: PORT", "prot: PORT")
    (found,) = [d for d in examine(PLATFORM, scene) if d.probe.name == "dataops.yaml"]
    assert found.finding.verdict is Verdict.FAILED and "dataops.yaml:" in found.finding.what
