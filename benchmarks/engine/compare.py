"""The engine against the real CLI and against the SDK's own floor, on the same programs in the same run.

    python -m benchmarks.engine.compare [--count 300] [--shape wide|deep] [--runs 3]

Each run of each contender is a whole life: create all, no-op, change a tenth, destroy. `pulumi` is used when it is on
PATH, with the `pulumi-resource-pulumi-python` that belongs to it; its absence is printed. Its program runs in this
interpreter's virtual environment, or in the one that PULUMI_VENV names.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import Timed, header, in_turn, peak_memory, run
from dataops.infra.engine.pulumi_command import interpreter_variables

HERE = Path(__file__).resolve().parent
DATAOPS = [str(Path(sys.executable).with_name("dataops")), "stack"]
OPERATIONS = {
    "create": ("up", {}),
    "no-op": ("up", {}),
    "change a tenth": ("up", {"CHANGED": "yes"}),
    "destroy": ("destroy", {}),
}
"""The life of a stack: each operation's command, and the variables that the program gets."""


class Scratch:
    """A copy of a benchmark program with a backend of its own, driven by one command line."""

    def __init__(
        self, command: list[str], program: str, count: int, folder: Path, shape: str = "wide", **variables: str
    ) -> None:
        self.command, self.folder = command, folder
        shutil.copytree(HERE / "programs" / program, folder / "program")
        (folder / "state").mkdir()
        if command[0] == "pulumi":
            venv = os.environ.get("PULUMI_VENV", sys.prefix)
            settings = f"name: benchmark\nruntime:\n  name: python\n  options:\n    virtualenv: {venv}\n"
            (folder / "program" / "Pulumi.yaml").write_text(settings)
            variables |= interpreter_variables(Path(venv) / "bin" / "python", os.environ)
        self.environment = {
            **os.environ,
            "COUNT": str(count),
            "SHAPE": shape,
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "benchmark",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_HOME": str(folder / "home"),
            **variables,
        }
        words = ["init", "dev"] if command[-1] == "stack" else ["stack", "init", "dev"]
        run([*command, *words, "--non-interactive"], folder / "program", self.environment)

    def perform(self, operation: str) -> tuple[float, float]:
        """Performs one of `OPERATIONS`; seconds, and MiB at the most."""
        verb, variables = OPERATIONS[operation]
        command = [*self.command, verb, "--yes", "--skip-preview", "--non-interactive"]
        return peak_memory(command, self.folder / "program", {**self.environment, **variables})


@dataclass
class Contender:
    """One engine with what each operation has cost it."""

    name: str
    scratch: Scratch
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in OPERATIONS})
    memory: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in OPERATIONS})

    def live(self) -> None:
        """Performs every operation once, from the empty stack to the empty stack."""
        for operation in OPERATIONS:
            took, held = self.scratch.perform(operation)
            self.seconds[operation].append(took)
            self.memory[operation].append(held)

    def row(self, operation: str, ours: Contender) -> str:
        """What an operation costs; of a peer also how much of that ours is."""
        seconds, memory = statistics.median(self.seconds[operation]), statistics.median(self.memory[operation])
        text = f"  {operation:<16}{self.name:<28}{seconds:7.2f} s {memory:6.0f} MiB"
        if self is ours:
            return text
        mine, held = statistics.median(ours.seconds[operation]), statistics.median(ours.memory[operation])
        return f"{text}   ours is {mine / seconds:5.2f} x and {held / memory:5.2f} x of it"


def compare(count: int, runs: int, shape: str = "wide") -> None:
    """Prints what each operation costs on `count` dynamic resources, and create and no-op against the floor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = Contender("ours", Scratch(DATAOPS, "dynamic", count, make(folder / "ours"), shape))
        contenders = [ours]
        if shutil.which("pulumi"):
            for title, variables in (
                ("pulumi", {}),
                ("pulumi, SKIP_CHECKPOINTS", {"PULUMI_SKIP_CHECKPOINTS": "true"}),
            ):
                scratch = Scratch(
                    ["pulumi"], "dynamic", count, make(folder / f"theirs-{len(contenders)}"), shape, **variables
                )
                contenders.append(Contender(title, scratch))
        environment = {**os.environ, "COUNT": str(count), "SHAPE": shape}
        floor_command = [sys.executable, "-m", "benchmarks.engine.floor", str(HERE / "programs" / "dynamic")]
        floor = Timed("the SDK against a monitor that answers at once")
        spared = Timed("the same, started by our runner")
        for _ in range(runs):
            floor.seconds.append(run(floor_command, HERE.parents[1], environment))
            spared.seconds.append(run([*floor_command, "--ours"], HERE.parents[1], environment))
            for contender in contenders:
                contender.live()
    print(f"\n{count} dynamic resources, {shape}: medians of {runs} in turn, and the memory of all processes together")
    for operation in OPERATIONS:
        for contender in contenders:
            print(contender.row(operation, ours))
    if len(contenders) == 1:
        print("  pulumi is not on PATH: no comparison with it in this run")
    for operation in ("create", "no-op"):
        mine = statistics.median(ours.seconds[operation])
        for least in (floor, spared):
            print(
                f"  {operation:<16}{least.name:<48} {least.median:5.2f} s   ours is {mine / least.median:5.2f} x of it"
            )


def start_up(runs: int) -> None:
    """Prints how long a command takes that has nothing to do."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        empty = Scratch(DATAOPS, "empty", 0, make(folder / "empty"))
        start, helped = Timed("dataops stack up of an empty program"), Timed("dataops --help")
        in_turn(
            runs,
            [
                (start, lambda: empty.perform("no-op")[0]),
                (helped, lambda: run([DATAOPS[0], "--help"], folder, os.environ)),
            ],
        )
        header("start-up")
        print(start.row(), helped.row(), sep="\n")


def make(folder: Path) -> Path:
    """A new folder."""
    folder.mkdir()
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--shape", choices=["wide", "deep"], default="wide")
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    compare(asked.count, asked.runs, asked.shape)
    start_up(max(asked.runs, 5))
