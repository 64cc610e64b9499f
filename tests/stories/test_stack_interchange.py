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


def theirs(console: Console, *words: str, fails: bool = False, **variables: str) -> str:
    """Runs the other hands' command on the stack `dev`; gives what it printed."""
    python = Path(sys.executable)
    environment = {
        **console.variables,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_HOME": str(console.folder.parent / "another-home"),
        "PATH": os.pathsep.join([str(python.parent), console.variables["PATH"]]),
        "DATAOPS_PYTHON": str(python),
        **interpreter_variables(python, {}),
        **variables,
    }
    command = [PULUMI] if PULUMI else [str(python.with_name("dataops")), "stack"]
    at_stack = (*words, "--stack", "dev")
    done = subprocess.run(
        [*command, *at_stack, "--non-interactive"], cwd=console.folder, env=environment, capture_output=True, text=True
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + (done.stderr if fails else "")


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
    for _ in range(600):
        if (tmp_path / "made" / "two").is_dir():
            break
        time.sleep(0.05)
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
