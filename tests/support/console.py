"""The real console script, run in a process of its own on a project in a scratch folder."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPT = Path(sys.executable).with_name("dataops")


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What it printed to stdout, as a document."""
        return json.loads(self.stdout)


@dataclass
class Console:
    """`dataops` in one folder, with a home, a backend and a passphrase of its own."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        scratch = self.folder.parent / f"{self.folder.name}-outside"
        kept = ("PATH", "HOME", "LANG", "TMPDIR")
        self.variables = {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "DATAOPS_HOME": str(scratch / "home"),
            "PULUMI_HOME": str(scratch / "pulumi"),
            "PULUMI_BACKEND_URL": f"file://{scratch}/state",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "COLUMNS": "120",
            **self.variables,
        }

    @property
    def state(self) -> Path:
        """The backend's folder."""
        return Path(self.variables["PULUMI_BACKEND_URL"].removeprefix("file://"))

    def write(self, name: str, text: str) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *words: str, stdin: str = "", variables: Mapping[str, str | None] | None = None) -> Outcome:
        """Runs `dataops` with the words; variables with None are taken away."""
        done = subprocess.run(
            [str(SCRIPT), *words],
            cwd=self.folder,
            env=self._environment(variables or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def stack(self, *words: str, **options: Any) -> Outcome:
        """Runs `dataops stack` with the words, which has to end well."""
        outcome = self.run("stack", *words, **options)
        assert outcome.status == 0, outcome.stderr
        return outcome

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Starts `dataops` and returns at once; the caller ends it."""
        return subprocess.Popen(
            [str(SCRIPT), *words],
            cwd=self.folder,
            env=self._environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _environment(self, changes: Mapping[str, str | None]) -> dict[str, str]:
        merged: dict[str, str | None] = {**self.variables, **changes}
        return {name: value for name, value in merged.items() if value is not None}


class SameProcess(Console):
    """`dataops` without a process of its own: for tests of what it says, many of them."""

    def run(self, *words: str, stdin: str = "", variables: Mapping[str, str | None] | None = None) -> Outcome:
        from dataops.cli.main import main

        out, err = io.StringIO(), io.StringIO()
        before, typed = dict(os.environ), sys.stdin
        os.environ.clear()
        os.environ.update(self._environment(variables or {}))
        sys.stdin = io.StringIO(stdin)
        try:
            with contextlib.chdir(self.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = main(words)
        finally:
            sys.stdin = typed
            os.environ.clear()
            os.environ.update(before)
        return Outcome(status, out.getvalue(), err.getvalue())


PROJECT = "name: shop\nruntime: python\n"


def project(folder: Path, program: str = "", kind: type[Console] = Console, **variables: str) -> Console:
    """A console in a folder with a Pulumi.yaml and a program."""
    console = kind(folder, dict(variables))
    console.write("Pulumi.yaml", PROJECT)
    console.write("__main__.py", program)
    return console
