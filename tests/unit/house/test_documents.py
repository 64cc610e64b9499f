"""What is written is true: files that documents name exist, commands and exit codes are documented."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from dataops.cli.main import dataops
from dataops.envs.settings import SETTINGS
from dataops.infra import errors

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_that_a_document_names_exists(name: str) -> None:
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", (ROOT / name).read_text()))
    elsewhere = (".dataops/", ".demo/", "feature/")
    assert sorted(p for p in named if not p.startswith(elsewhere) and not (ROOT / p).exists()) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_between_documents_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text())
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def commands(group: click.Group, prefix: str = "") -> list[str]:
    """The words of every command that does something."""
    found = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        words = f"{prefix}{name}"
        found += commands(command, f"{words} ") if isinstance(command, click.Group) else [words]
    return found


def test_the_readme_lists_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    tables = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    documented = set()
    for words in re.findall(r"`dataops ([\w |-]+)", tables.replace("\\|", "|")):
        *group, last = words.strip().split(" ")
        documented |= {" ".join([*group, verb]) for verb in last.split("|")}
    assert sorted(set(commands(dataops)) - documented) == []


def test_the_readme_lists_every_exit_code() -> None:
    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.DataopsError)]
    text = (ROOT / "README.md").read_text()
    assert [code for code in sorted({k.exit_code for k in kinds}) if not re.search(rf"^\| {code} \|", text, re.M)] == []


def test_the_readme_lists_every_setting_and_its_variable() -> None:
    _, _, rest = (ROOT / "README.md").read_text().partition("## Where settings come from")
    section = rest.partition("\n## ")[0]
    missing = [s.key for s in SETTINGS if not re.search(rf"^\|[^|]*\b{s.key}\b", section, re.M) and s.key != "folder"]
    assert missing == []
    assert [v for v in ("DATAOPS_ENV", "DATAOPS_HOME", "NO_COLOR", "CI") if f"`{v}`" not in section] == []


def test_no_tracked_file_holds_a_path_of_one_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = listed.stdout.split("\n")
    pattern = re.compile(r"(?<![\w.])/(?:work|farm|root/\.pyenv|opt/pulumi)/")
    found = []
    for name in filter(None, tracked):
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 1_000_000 and path != Path(__file__):
            found += [name for line in path.read_text(errors="replace").splitlines() if pattern.search(line)]
    assert found == []
