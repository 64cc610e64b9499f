"""The documents that commands on stacks print, against recordings of what pulumi 3.250 printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.console import project
from support.formats import COMMANDS, SETTINGS, normal

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parents[1] / "programs" / "formats"


def test_documents_are_those_of_the_pulumi_command(tmp_path: Path) -> None:
    recorded = json.loads((FOLDER / "recorded.json").read_text())
    console = project(tmp_path / "shop", (FOLDER / "__main__.py").read_text())
    console.stack("init", "dev")
    for setting in SETTINGS:
        console.stack(*setting)
    found = {}
    for name, words in COMMANDS.items():
        outcome = console.stack(*(words[1:] if words[0] == "stack" else words))
        if name != "up":
            found[name] = normal(outcome.json)
    assert found.keys() == recorded.keys()
    for name, document in found.items():
        assert document == recorded[name], name
