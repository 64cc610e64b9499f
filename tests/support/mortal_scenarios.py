"""The recorded conformance scenarios, played by commands that are killed, and what must hold afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from dataops.infra.resources.state import Deployment, ResourceState
from dataops.infra.resources.values import unwrap_secrets
from dataops.infra.state.backend import StackReference
from dataops.infra.state.file_backend import FileBackend
from dataops.infra.state.passphrase import PassphraseSecrets
from support.kill_table import Victim
from support.mortal_command import PROGRAMS, End, MortalCommands

SHARED = Path(__file__).resolve().parents[3] / "shared" / "conformance"
SCENARIOS = sorted(folder.name for folder in SHARED.glob("scenarios/*/"))
"""None where the recorded scenarios are not beside this checkout."""

REF = StackReference("conformance", "dev")
PASSPHRASE = "conformance"
THINGS = ("pulumi-python:dynamic:Resource", "steered:index:Thing")
COUNTED_AS = {Victim.ENGINE: "engine", Victim.PROGRAM: "program", Victim.DYNAMIC: "provider", Victim.PLUGIN: "provider"}
OVER = "locks, after it was removed"
"""The moment after which nothing is left to do: a kill there does not count."""


@dataclass(frozen=True)
class Operation:
    """One operation of a scenario as it goes when nobody is killed.

    Args:
        words: the command.
        status: its exit status.
        moments: by who has them, in order; see `choices`.
        found: what is recorded afterwards, see `Scenario.recorded`.
        before: a folder with the stack as it is before.
    """

    words: tuple[str, ...]
    status: int
    moments: dict[str, list[str]]
    found: dict[str, Any]
    before: Path

    def choices(self, victim: Victim) -> list[int]:
        """The moments to be killed at, counted from 1: of the engine those of journal and checkpoint.

        What else the engine writes (lock, history, copies) is the same in every scenario; `test_kill.py` goes there.
        """
        found = self.moments[COUNTED_AS[victim]]
        if victim is not Victim.ENGINE:
            return list(range(1, len(found) + 1))
        return [at for at, name in enumerate(found, 1) if name.startswith(("journal,", "json,"))]


@dataclass(frozen=True)
class Struck:
    """A kill that hit.

    Args:
        moment: of the victim.
        over: whether the operation had come to its end by then.
        end: how the command ended.
    """

    moment: str
    over: bool
    end: End


class Scenario:
    """One scenario in a scratch folder, its things served by the victim's kind of provider.

    Args:
        scratch: a folder of its own.
    """

    def __init__(self, name: str, scratch: Path, commands: MortalCommands, plugin: bool) -> None:
        self._source = SHARED / "scenarios" / name
        self._scratch = scratch
        self.folder = scratch / "played"
        self._commands = commands
        self._plugin = plugin
        self._begin()

    def operations(self) -> Iterator[Operation]:
        """Plays the scenario to its end; each operation is given when it has been done."""
        for number, (words, world) in enumerate(self._words()):
            if world is not None:
                self._touch(world)
            before = self._scratch / f"before-{number}"
            shutil.copytree(self.folder, before)
            end = self.run(*words)
            yield Operation(words, end.status, self._moments(), self.recorded(), before)
            self.put(self.folder, self._scratch / "after")
            self.restore(self._scratch / "after")

    def put(self, source: Path, target: Path) -> None:
        """Copies a folder to another place, instead of what is there."""
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)

    def restore(self, before: Path) -> None:
        """Goes back to a folder as it was; nobody is counted and nobody has been killed there."""
        self.put(before, self.folder)
        for name in ("engine", "program", "provider", "killed"):
            (self.folder / "fate" / name).unlink(missing_ok=True)

    def run(self, *words: str, fate: str = "") -> End:
        """Runs a command to its end and waits for all that it has started."""
        end = self._commands.run(self.folder, self._variables(fate), "stack", *words, "--non-interactive")
        deadline = time.monotonic() + 60
        while left := _processes_in(self.folder):
            assert time.monotonic() < deadline, f"still there: {left}"
            time.sleep(0.01)
        return end

    def strike(self, operation: Operation, victim: Victim, number: int) -> Struck | None:
        """Performs an operation and kills somebody at a moment of theirs; None when they were not there any more."""
        self.restore(operation.before)
        who = COUNTED_AS[victim]
        end = self.run(*operation.words, fate=f"{who}:{number}")
        killed = self.folder / "fate" / "killed"
        if not killed.exists():
            return None
        moment = killed.read_text()
        return Struck(moment, moment == OVER if victim is Victim.ENGINE else end.status == 0, end)

    def deployment(self) -> Deployment:
        """What is recorded."""
        return FileBackend(self.folder / "state").load(REF, _secrets(self._salt()))

    def objects(self) -> dict[str, dict[str, Any]]:
        """What exists, by id."""
        found: dict[str, dict[str, Any]] = json.loads((self.folder / "fate" / "objects.json").read_text())
        return found

    def recorded(self) -> dict[str, Any]:
        """The recorded resources by URN, without what differs from one time to the next."""
        found: dict[str, Any] = {}
        for state in self.deployment().resources:
            if state.type.startswith("pulumi:providers:"):
                continue
            inputs = {k: v for k, v in state.inputs.items() if k != "__provider"}
            text = json.dumps(unwrap_secrets(inputs), sort_keys=True, default=str)
            found[f"{state.urn} {state.delete}"] = {
                "inputs": re.sub(r"(id-\w+-\w+)-\d+", r"\1", text),
                "parent": state.parent,
                "protect": state.protect,
                "dependencies": sorted(state.dependencies),
            }
        return found

    def check_nothing_is_lost(self) -> None:
        """Each object is recorded as it was reported, or a pending operation says what may be; and the other way."""
        deployment, objects = self.deployment(), self.objects()
        things = [state for state in deployment.resources if state.type in THINGS]
        recorded = {state.id for state in things}
        unknown = {kind: labels(deployment, kind) for kind in ("creating", "updating", "deleting")}
        assert {objects[id_]["label"] for id_ in objects.keys() - recorded} <= unknown["creating"]
        for state in things:
            label = unwrap_secrets(state.inputs["label"])
            if state.id not in objects:
                taken = label in unknown["deleting"] or label in self._taken()
                assert taken or state.pending_replacement, state.urn
            elif label not in unknown["updating"]:
                assert state.outputs["generation"] == objects[state.id]["generation"], state.urn
        seen: set[str] = set()
        for state in deployment.resources:
            assert seen.issuperset({*state.dependencies, *filter(None, [state.parent])}), state.urn
            seen.add(state.urn)

    def check_converges(self, operation: Operation) -> None:
        """The same operation again does what it does when nobody is killed, and tells of what is unknown."""
        unknown = {item.resource.urn for item in self.deployment().pending_operations if item.kind == "creating"}
        end = self.run(*operation.words)
        assert end.status == operation.status, end.said
        assert all(urn in end.said for urn in unknown), (unknown, end.said)
        assert "--clear-pending-creates" in end.said or not unknown, end.said
        assert self.recorded() == operation.found, end.said
        deployment, objects = self.deployment(), self.objects()
        left = objects.keys() - {state.id for state in deployment.resources}
        assert {objects[id_]["label"] for id_ in left} <= labels(deployment, "creating"), end.said
        assert {state.id for state in deployment.resources if state.type in THINGS} <= objects.keys()
        assert not FileBackend(self.folder / "state").lock_holder(REF)

    def _begin(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        (self.folder / "fate").mkdir(parents=True)
        (self.folder / "fate" / "objects.json").write_text("{}")
        shutil.copy(SHARED / "kit.py", self.folder / "steered.py")
        shutil.copy(self._source / "__main__.py", self.folder / "scenario.py")
        for name, to in (("fate.py", "fate.py"), ("kit.py", "kit.py"), ("main.py", "__main__.py")):
            shutil.copy(PROGRAMS / name, self.folder / to)
        (self.folder / "Pulumi.yaml").write_text("name: conformance\nruntime: python\n")
        plugin = self._scratch / "home" / "plugins" / "resource-steered-v1.0.0" / "pulumi-resource-steered"
        plugin.parent.mkdir(parents=True)
        plugin.write_text(f'#!/bin/sh\nexec {sys.executable} {PROGRAMS / "plugin.py"} "$@"\n')
        plugin.chmod(0o755)
        assert self.run("init", "dev").status == 0

    def _words(self) -> Iterator[tuple[tuple[str, ...], str | None]]:
        """The commands of the scenario, previews aside, each with what happens to the world before it."""
        world = None
        for operation in json.loads((self._source / "ops.json").read_text()):
            verb, _, argument = operation.partition(" ")
            if verb == "world":
                world = argument
            elif verb != "preview":
                settings = ("--config", f"step={argument}") if argument else ()
                yield (verb, "--yes", "--skip-preview", *settings), world
                world = None

    def _touch(self, world: str) -> None:
        """Changes the world by another hand."""
        (self.folder / "world.json").write_text(world)
        gone = [label for label, what in json.loads(world).items() if what == "gone"]
        left = {id_: found for id_, found in self.objects().items() if found["label"] not in gone}
        (self.folder / "fate" / "objects.json").write_text(json.dumps(left))
        (self.folder / "fate" / "taken").write_text(json.dumps(gone))

    def _taken(self) -> list[str]:
        """The labels of what another hand has removed."""
        path = self.folder / "fate" / "taken"
        found: list[str] = json.loads(path.read_text()) if path.exists() else []
        return found

    def _moments(self) -> dict[str, list[str]]:
        found = {}
        for who in set(COUNTED_AS.values()):
            path = self.folder / "fate" / who
            found[who] = path.read_text().splitlines() if path.exists() else []
        return found

    def _variables(self, fate: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "DATAOPS_HOME": str(self._scratch / "home"),
            "PULUMI_HOME": str(self._scratch / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "GRPC_VERBOSITY": "NONE",
            "CALLS": str(self.folder / "calls"),
            "WORLD": str(self.folder / "world.json"),
            "FATE": fate,
            "FATE_FOLDER": str(self.folder / "fate"),
            "STEERED_PLUGIN": str(self.folder) if self._plugin else "",
        }

    def _salt(self) -> str:
        text = (self.folder / "Pulumi.dev.yaml").read_text()
        return next(line.split(": ", 1)[1] for line in text.splitlines() if line.startswith("encryptionsalt: "))


@cache
def _secrets(salt: str) -> PassphraseSecrets:
    return PassphraseSecrets(PASSPHRASE, salt)


def labels(deployment: Deployment, pending: str) -> set[str]:
    """The labels of the things with a pending operation of a kind."""
    return {_label(item.resource) for item in deployment.pending_operations if item.kind == pending}


def _label(state: ResourceState) -> str:
    return str(unwrap_secrets(state.inputs.get("label", "")))


def _processes_in(folder: Path) -> list[str]:
    """The processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found
