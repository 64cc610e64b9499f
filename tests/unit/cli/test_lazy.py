"""The table of commands: cheap to show, exact about what does not exist."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dataops.cli.commands import stack as stack_module
from dataops.cli.main import COMMANDS
from support.console import SameProcess


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'pulumi', 'grpc', 'pyarrow', 'psycopg', 'pydantic', 'rich', 'cryptography', 'ruamel', 'asyncio'}"
    code = (
        "import sys\nfrom dataops.cli.main import main\nmain(['--help'])\n"
        f"loaded = {heavy} & {{name.partition('.')[0] for name in sys.modules}}\n"
        "sys.exit(' '.join(sorted(loaded)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistyped_command_suggests_the_nearest(tmp_path: Path) -> None:
    outcome = SameProcess(tmp_path).run("stack", "hisotry")
    assert outcome.status == 2
    assert "Did you mean `dataops stack history`?" in outcome.stderr


def test_a_mistyped_option_suggests_the_nearest(tmp_path: Path) -> None:
    outcome = SameProcess(tmp_path).run("stack", "up", "--skip-previw")
    assert outcome.status == 2
    assert "--skip-preview" in outcome.stderr
    assert "dataops stack up --help" in outcome.stderr


def test_help_lists_every_command_with_its_summary(tmp_path: Path) -> None:
    outcome = SameProcess(tmp_path).run("--help")
    assert outcome.status == 0
    assert all(f"  {name} " in outcome.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", sorted(stack_module.COMMANDS))
def test_every_stack_command_has_an_example_in_its_help(name: str, tmp_path: Path) -> None:
    outcome = SameProcess(tmp_path).run("stack", name, "--help")
    assert outcome.status == 0, outcome.stderr
    assert f"dataops stack {name}" in outcome.stdout
    assert "Example" in outcome.stdout


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    from importlib.metadata import version

    assert SameProcess(tmp_path).run("--version").stdout == f"dataops {version('dataops')}\n"


def test_a_mistyped_choice_suggests_the_nearest(tmp_path: Path) -> None:
    console = SameProcess(tmp_path)
    for words in (["-o", "jsn"], ["--output=jsn"]):
        outcome = console.run("config", "ls", *words)
        assert outcome.status == 2
        assert "did you mean `json`?" in outcome.stderr
    assert "did you mean" not in console.run("config", "ls", "-o", "pdf").stderr
