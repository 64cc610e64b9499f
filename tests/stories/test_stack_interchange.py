"""One stack in two hands: ours, and those of the `pulumi` command with our provider as its plugin.

Where there is no `pulumi` on PATH, which is told, the other hands are a second dataops with a home of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataops.infra.engine.pulumi_command import interpreter_variables
from support.console import Console, project

PROGRAM = """
import time
import pulumi
from dataops.infra.components.declaration import Declared
from dataops.infra.components.storage import LakeDirectory
from dataops.infra.components.workspace import EnvironmentFile
from pathlib import Path

config = pulumi.Config()
folder = Path(config.require("folder"))
file = EnvironmentFile("file", path=folder / "env" / ".env", variables={"TOKEN": config.require_secret("token")})
lake = LakeDirectory("lake", path=folder / config.require("lake"))
pulumi.export("path", file.path)
pulumi.export("token", config.require_secret("token"))
"""

PLUGIN = Path(__file__).resolve().parents[2] / "cli" / "templates" / "plugin.template"
PULUMI = shutil.which("pulumi")
HISTORY, OUTPUT = (("stack", "history"), ("stack", "output")) if PULUMI else (("history",), ("output",))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def absence(pytestconfig: pytest.Config) -> None:
    """Tells when the command is not there."""
    if PULUMI is None:
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print("\nno pulumi on PATH: stacks were handed to a second dataops instead")


@pytest.fixture
def console(tmp_path: Path) -> Console:
    console = project(tmp_path / "shop", PROGRAM)
    console.write(
        "Pulumi.yaml", "name: shop\nruntime: python\nplugins:\n  providers: [{name: dataops, path: provider}]\n"
    )
    console.write("provider/pulumi-resource-dataops", PLUGIN.read_text().replace("$$", "$")).chmod(0o755)
    console.stack("init", "dev")
    console.stack("config", "set", "folder", str(tmp_path / "made"))
    console.stack("config", "set", "lake", "one")
    console.stack("config", "set", "--secret", "token", "open sesame")
    return console


def their_command(*words: str) -> list[str]:
    """The other hands' command, about the stack `dev`."""
    command = [PULUMI] if PULUMI else [str(Path(sys.executable).with_name("dataops")), "stack"]
    return [*command, *words, "--stack", "dev", "--non-interactive"]


def their_variables(console: Console) -> dict[str, str]:
    """The environment of the other hands' command."""
    python = Path(sys.executable)
    return {
        **console.variables,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_HOME": str(console.folder.parent / "another-home"),
        "PATH": os.pathsep.join([str(python.parent), console.variables["PATH"]]),
        "DATAOPS_PYTHON": str(python),
        **interpreter_variables(python, {}),
    }


def theirs(console: Console, *words: str, fails: bool = False, **variables: str) -> str:
    """Runs the other hands' command on the stack `dev`; gives what it printed."""
    environment = their_variables(console) | variables
    done = subprocess.run(their_command(*words), cwd=console.folder, env=environment, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + (done.stderr if fails else "")


def wait_for(path: Path) -> None:
    """Waits until a running command has made something."""
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


def test_a_stack_passes_from_hand_to_hand(console: Console, tmp_path: Path) -> None:
    console.stack("up", "--yes", "--message", "ours")
    theirs(console, "preview", "--expect-no-changes")

    console.stack("config", "set", "lake", "two")
    theirs(console, "up", "--yes", "--skip-preview", "--message", "theirs")
    assert (tmp_path / "made" / "two").is_dir() and not (tmp_path / "made" / "one").exists()
    console.stack("preview", "--expect-no-changes")
    console.stack("up", "--yes", "--expect-no-changes", "--message", "ours again")

    listed = [record["message"] for record in console.stack("history", "--json").json]
    assert listed == ["ours again", "theirs", "ours"]
    assert [r["message"] for r in json.loads(theirs(console, *HISTORY, "--json"))] == listed
    assert console.stack("output", "token", "--show-secrets").stdout == "open sesame\n"
    assert theirs(console, *OUTPUT, "token", "--show-secrets") == "open sesame\n"
    theirs(console, "destroy", "--yes", "--skip-preview")
    assert len(console.stack("export").json["deployment"].get("resources") or []) == 0
    assert "open sesame" not in "".join(p.read_text(errors="replace") for p in console.state.rglob("*") if p.is_file())


def test_compressed_checkpoints_are_read_by_both(console: Console) -> None:
    theirs(console, "up", "--yes", "--skip-preview", PULUMI_DIY_BACKEND_GZIP="true")
    stacks = console.state / ".pulumi" / "stacks" / "shop"
    if PULUMI:
        assert (stacks / "dev.json.gz").exists()
    console.stack("up", "--yes", "--expect-no-changes")
    console.stack("config", "set", "lake", "two")
    console.stack("up", "--yes")
    theirs(console, "preview", "--expect-no-changes")


def test_after_a_crash_of_ours_theirs_see_the_last_state_and_ours_everything(console: Console, tmp_path: Path) -> None:
    console.stack("up", "--yes")
    console.write("__main__.py", PROGRAM + "\nlake.path.apply(lambda path: time.sleep(60))\n")
    console.stack("config", "set", "lake", "two")
    running = console.start("stack", "up", "--yes", "--skip-preview")
    wait_for(tmp_path / "made" / "two")
    time.sleep(0.3)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert list(console.state.rglob("*.journal*"))
    console.write("__main__.py", PROGRAM)
    if PULUMI:
        # It knows of no journal, but it respects the lock that lies beside it.
        assert "locked" in theirs(console, "up", "--yes", "--skip-preview", fails=True)

    exported = console.stack("export").json["deployment"]
    lakes = [r["inputs"]["path"] for r in exported["resources"] if r["type"] == "dataops:local:Lake"]
    assert str(tmp_path / "made" / "two") in lakes
    console.stack("up", "--yes")
    theirs(console, "preview", "--expect-no-changes")


def test_after_a_crash_of_theirs_ours_takes_the_lock_over_and_goes_on(console: Console, tmp_path: Path) -> None:
    console.write("__main__.py", PROGRAM + "\nlake.path.apply(lambda path: time.sleep(60))\n")
    with subprocess.Popen(
        their_command("up", "--yes", "--skip-preview"),
        cwd=console.folder, env=their_variables(console), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:  # fmt: skip
        wait_for(tmp_path / "made" / "one")
        time.sleep(0.3)
        os.killpg(running.pid, signal.SIGKILL)
    console.write("__main__.py", PROGRAM)
    again = console.stack("up", "--yes", "--skip-preview")
    assert f"(pid {running.pid})" in again.stderr and "who is gone, was taken over" in again.stderr
    theirs(console, "preview", "--expect-no-changes")


def test_an_update_whose_lock_theirs_broke_changes_no_state_and_keeps_what_it_did(
    console: Console, tmp_path: Path
) -> None:
    console.stack("up", "--yes")
    console.stack("config", "set", "lake", "two")
    held = tmp_path / "held"
    waiting = f"\n\ndef wait(path):\n    while Path({str(held)!r}).exists():\n        time.sleep(0.05)\n"
    console.write("__main__.py", PROGRAM + waiting + "\nlake.path.apply(wait)\n")
    held.touch()
    ours = console.start("stack", "up", "--yes", "--skip-preview")
    wait_for(tmp_path / "made" / "two")
    console.write("__main__.py", PROGRAM)
    assert "locked" in theirs(console, "up", "--yes", "--skip-preview", fails=True)
    theirs(console, "cancel", "--yes")
    if PULUMI:
        # It knows of no journal: it makes the same lake once more, which is no harm, since ours are made so.
        theirs(console, "up", "--yes", "--skip-preview")
    held.unlink()
    told = ours.communicate()[1]
    assert ours.returncode == 10 and "was broken while this command held it" in told

    if PULUMI:
        assert console.run("stack", "up", "--yes").status == 11
        assert str(tmp_path / "made" / "two") in console.stack("recover", "--set-aside").stdout
    console.stack("up", "--yes")
    theirs(console, "preview", "--expect-no-changes")


def test_resources_move_between_stacks_by_either(console: Console) -> None:
    console.stack("up", "--yes")
    console.stack("init", "other", "--no-select")
    at = "urn:pulumi:{}::shop::dataops:local:Lake::lake"
    stacks = ("--source", "organization/shop/dev", "--dest", "organization/shop/other")
    if PULUMI:
        subprocess.run(
            [PULUMI, "state", "move", *stacks, at.format("dev"), "--yes", "--non-interactive"],
            cwd=console.folder, env=their_variables(console), check=True, capture_output=True,
        )  # fmt: skip
    else:
        console.stack("state", "move", *stacks, at.format("dev"), "--yes")
    moved = console.stack("export", "--stack", "other").json["deployment"]["resources"]
    assert at.format("other") in [resource["urn"] for resource in moved]
    console.stack("state", "move", "--source", "other", "--dest", "dev", at.format("other"), "--yes")
    theirs(console, "refresh", "--yes", "--skip-preview", "--expect-no-changes")
    theirs(console, "preview", "--expect-no-changes")
    console.stack("preview", "--expect-no-changes")
