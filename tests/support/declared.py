"""Runs the stacks against Pulumi's own test monitor, in a process of their own, and tells what they declared.

The process runs `support/recording.py`, which uses Pulumi's mocks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Registration:
    """One resource as the program registered it; `after` are the names of what it depends on."""

    type: str
    name: str
    parent: str
    custom: bool
    inputs: dict[str, Any]
    after: list[str]
    secret_inputs: list[str]


@dataclass
class Declared:
    """Everything a program declared, and the outputs of its stack."""

    resources: list[Registration] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    secret_outputs: list[str] = field(default_factory=list)

    def one(self, type_: str, name: str | None = None) -> Registration:
        found = [r for r in self.resources if r.type == type_ and name in (None, r.name)]
        assert len(found) == 1, f"{len(found)} resources {type_} {name}"
        return found[0]

    def names(self, type_: str) -> set[str]:
        return {r.name for r in self.resources if r.type == type_}

    def before(self, name: str) -> set[str]:
        """The names of everything that comes before a custom resource, directly or not."""
        direct = {f"{r.type}::{r.name}": r.after for r in self.resources}
        found: set[str] = set()
        todo = [key for key in direct if key == name]
        assert todo, name
        while todo:
            for key in direct.get(todo.pop(), ()):
                if key not in found:
                    found.add(key)
                    todo.append(key)
        return found


def declare_stack(folder: Path, config: Mapping[str, str]) -> Declared:
    """Runs `dataops.stacks.deploy` in `folder` with a stack configuration."""
    script = Path(__file__).with_name("recording.py")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        input=json.dumps(dict(config)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return Declared([Registration(**r) for r in found["resources"]], found["outputs"], found["secret_outputs"])
