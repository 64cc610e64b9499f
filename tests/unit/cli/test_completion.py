"""Completion, asked as a shell asks it, and through a real bash."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.console import SCRIPT, Console
from support.platform_file import write_platform
from support.scratch_git import git, repository


@pytest.fixture
def console(tmp_path: Path) -> Console:
    folder = repository(tmp_path / "platform", {"README": "a platform\n"})
    write_platform(folder, "services:\n", "  returns: {steps: [{name: collect, run: [collect]}]}\nservices:\n")
    git(folder, "branch", "feature/blue")
    console = Console(folder)
    registry = Path(console.variables["DATAOPS_HOME"]) / "platforms" / "shop-1" / "registry"
    registry.mkdir(parents=True)
    for name in ("production", "feature-blue"):
        record = {"name": name, "role": "replica", "facts": {"pipelines": ["sales"]}}
        (registry / f"{name}.json").write_text(json.dumps(record))
    (registry / "torn.json").write_text("[1]")
    console.variables["PATH"] = f"{SCRIPT.parent}:{console.variables['PATH']}"
    return console


def bash(console: Console, line: str) -> list[str]:
    """What bash offers at the end of a line."""
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        'source <(dataops completion bash)\n'
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; COMP_POINT={len(line)}\n"
        "_dataops_completion dataops\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )  # fmt: skip
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=console.folder,
        env=console.variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dataops conf", ["config"]),
        ("dataops env st", ["status"]),
        ("dataops config explain outp", ["output"]),
        ("dataops config ls --log", ["--log-format"]),
        ("dataops config ls -o y", ["yaml"]),
        ("dataops completion z", ["zsh"]),
        ("dataops env up --branch feat", ["feature/blue"]),
        ("dataops env status feat", ["feature-blue"]),
        ("dataops pipeline run sa", ["sales"]),
        ("dataops pipeline run --env prod", ["production"]),
        ("dataops pipeline run sales --step lo", ["load"]),
        ("dataops pipeline run returns --step ", ["collect"]),
        ("dataops snapshot show new", ["newest"]),
        ("dataops nothing ", []),
    ],
)
def test_bash_completes(console: Console, line: str, expected: list[str]) -> None:
    assert bash(console, line) == expected


def test_a_completion_that_fails_says_nothing(console: Console) -> None:
    write_platform(console.folder, "name: shop", "name: [")
    assert bash(console, "dataops pipeline run sales --step ") == []


def test_completing_a_command_imports_none(console: Console) -> None:
    code = (
        "import sys\nfrom dataops.cli.main import main\nmain([])\n"
        "sys.exit(' '.join(n for n in sys.modules if n.startswith('dataops.cli.commands.')) or 0)"
    )
    asked = {"_DATAOPS_COMPLETE": "bash_complete", "COMP_WORDS": "dataops ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**console.variables, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "") and "plain,env" in done.stdout


def test_completing_what_an_update_takes_loads_neither_state_nor_engine(console: Console) -> None:
    code = (
        "import sys\nfrom dataops.cli.main import main\nmain([])\n"
        "heavy = ('dataops.infra.state', 'dataops.infra.engine')\n"
        "sys.exit(' '.join(n for n in sys.modules if n.startswith(heavy)) or 0)"
    )
    asked = {"_DATAOPS_COMPLETE": "bash_complete", "COMP_WORDS": "dataops env up --branch ", "COMP_CWORD": "4"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=console.folder, env={**console.variables, **asked}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "") and "feature/blue" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_says_how_it_is_installed_and_the_shell_reads_it(console: Console, shell: str) -> None:
    printed = console.run("completion", shell)
    assert (printed.status, printed.stderr) == (0, "") and "every new shell" in printed.stdout
    if program := shutil.which(shell):
        done = subprocess.run([program, "-n"], input=printed.stdout, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    assert "_DATAOPS_COMPLETE" in printed.stdout
