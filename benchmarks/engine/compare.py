"""The engine against the real CLI and against the SDK's own floor, on the same programs in the same run.

    python -m benchmarks.engine.compare [--count 300] [--runs 3]

`pulumi` is used when it is on PATH; its absence is printed. It needs a virtual environment with pip and the SDK for its
program: name one with PULUMI_VENV.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Timed, header, in_turn, run

HERE = Path(__file__).resolve().parent
DATAOPS = [str(Path(sys.executable).with_name("dataops")), "stack"]


class Scratch:
    """A copy of a benchmark program with a backend of its own, driven by one command line."""

    def __init__(self, command: list[str], program: str, count: int, folder: Path, venv: str | None = None) -> None:
        self.command, self.folder = command, folder
        shutil.copytree(HERE / "programs" / program, folder / "program")
        (folder / "state").mkdir()
        if venv:
            settings = f"name: benchmark\nruntime:\n  name: python\n  options:\n    virtualenv: {venv}\n"
            (folder / "program" / "Pulumi.yaml").write_text(settings)
        self.environment = {
            **os.environ,
            "COUNT": str(count),
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "benchmark",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_HOME": str(folder / "home"),
        }
        self("init", "dev") if command[-1] == "stack" else self("stack", "init", "dev")

    def __call__(self, *words: str, **variables: str) -> float:
        return run(
            [*self.command, *words, "--non-interactive"], self.folder / "program", {**self.environment, **variables}
        )

    def up(self, **variables: str) -> float:
        return self("up", "--yes", "--skip-preview", **variables)

    def create(self, **variables: str) -> float:
        """Seconds to create everything, from an empty stack; the destroy before it is not counted."""
        self("destroy", "--yes", "--skip-preview")
        return self.up(**variables)


def compare(count: int, runs: int) -> None:
    """Prints create and no-op of `count` dynamic resources, and the start-up with nothing to do."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = Scratch(DATAOPS, "dynamic", count, make(folder / "ours"))
        environment = {**os.environ, "COUNT": str(count)}
        floor_command = [sys.executable, "-m", "benchmarks.engine.floor", str(HERE / "programs" / "dynamic")]
        floor = Timed("the SDK against a monitor that answers at once")
        spared = Timed("the same, started by our runner")
        create, noop = Timed("create"), Timed("no-op")
        contenders = [
            (floor, lambda: run(floor_command, HERE.parents[1], environment)),
            (spared, lambda: run([*floor_command, "--ours"], HERE.parents[1], environment)),
            (create, ours.create),
            (noop, ours.up),
        ]
        peers: list[tuple[Timed, Timed]] = []
        if shutil.which("pulumi"):
            theirs = Scratch(["pulumi"], "dynamic", count, make(folder / "theirs"), os.environ.get("PULUMI_VENV"))
            skip = {"PULUMI_SKIP_CHECKPOINTS": "true"}
            rows = [Timed("pulumi create"), Timed("pulumi no-op")]
            rows += [Timed(f"{row.name}, SKIP_CHECKPOINTS") for row in rows]
            contenders += [
                (rows[0], theirs.create),
                (rows[1], theirs.up),
                (rows[2], lambda: theirs.create(**skip)),
                (rows[3], lambda: theirs.up(**skip)),
            ]
            peers = [(create, rows[0]), (noop, rows[1]), (create, rows[2]), (noop, rows[3])]
        in_turn(runs, contenders)
        header(f"{count} dynamic resources, {runs} runs in turn")
        print(floor.row(), spared.row(floor), create.row(floor), noop.row(floor), sep="\n")
        for mine, peer in peers:
            print(f"{peer.row()}   ours is {mine.median / peer.median:.2f} x of it")
        if not peers:
            print("  pulumi is not on PATH: no comparison with it in this run")

        empty = Scratch(DATAOPS, "empty", 0, make(folder / "empty"))
        start, helped = Timed("dataops stack up of an empty program"), Timed("dataops --help")
        in_turn(max(runs, 5), [(start, empty.up), (helped, lambda: run([DATAOPS[0], "--help"], folder, os.environ))])
        header("start-up")
        print(start.row(), helped.row(), sep="\n")


def make(folder: Path) -> Path:
    """A new folder."""
    folder.mkdir()
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    compare(asked.count, asked.runs)
