"""Updates in processes that can be killed at any moment, hundreds of them: each is forked from one that is warm.

`MortalUpdates` is what tests use. Run as a program, this file is the warm process: it reads a request a line, forks,
lets the child perform the update, and answers with how the child ended.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from dataops.infra.resources.state import Deployment
from dataops.infra.resources.urn import name_of
from dataops.infra.state.file_storage import FileStorage
from dataops.infra.state.passphrase import PassphraseSecrets
from dataops.infra.state.stack_backend import StackBackend
from support.engine_world import SECRETS, STACK, WorldProvider
from support.graph_program import Node


@dataclass(frozen=True)
class Ended:
    """How an update ended.

    Args:
        killed: the moment at which it was killed, "" when it ran to its end.
        failed: whether it ended with a failure.
        warnings: what it warned of.
    """

    killed: str
    failed: bool
    warnings: tuple[str, ...]


class MortalUpdates:
    """Updates of stacks, each in a process of its own. A context manager.

    Attributes:
        folder: where the stack and its world are; a new stack is made with `begin`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._warm = subprocess.Popen(
            [sys.executable, "-m", "support.mortal_updates"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            env={**os.environ, "GRPC_VERBOSITY": "NONE"},
            text=True,
        )

    def __enter__(self) -> MortalUpdates:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType) -> None:
        self._warm.communicate(timeout=60)

    @property
    def state(self) -> Path:
        """The backend's folder."""
        return self.folder / "state"

    @property
    def world(self) -> Path:
        """The file that holds what exists."""
        return self.folder / "world.json"

    def begin(self) -> None:
        """Makes an empty stack in an empty world."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.world.write_text("{}")
        StackBackend(FileStorage(self.state)).create(STACK, SECRETS)

    def up(self, nodes: Mapping[str, Node], kill_at: int = 0) -> Ended:
        """Brings the stack to a graph, or dies at a moment of the storage that is counted from 1."""
        assert self._warm.stdin and self._warm.stdout
        request = {
            "state": str(self.state),
            "world": str(self.world),
            "salt": SECRETS.salt,
            "nodes": {name: asdict(node) for name, node in nodes.items()},
            "kill_at": kill_at,
        }
        self._warm.stdin.write(json.dumps(request) + "\n")
        self._warm.stdin.flush()
        answer = json.loads(self._warm.stdout.readline())
        assert answer["killed"] or answer["error"] == "", answer["error"]
        return Ended(answer["killed"], answer["failed"], tuple(answer["warnings"]))

    def deployment(self) -> Deployment:
        """What is recorded."""
        return StackBackend(FileStorage(self.state)).load(STACK, SECRETS)

    def objects(self) -> dict[str, dict[str, Any]]:
        """What exists, by id."""
        found: dict[str, dict[str, Any]] = json.loads(self.world.read_text())
        return found


class LastingWorld(WorldProvider):
    """A world in a file, so that it outlives its process. What nobody knows of any more is in nobody's way."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self.objects = json.loads(file.read_text())
        self._made = max((int(id_.rpartition("-")[2]) for id_ in self.objects), default=0)

    def create(self, *args: Any, **named: Any) -> Any:
        return self._kept(super().create(*args, **named))

    def update(self, *args: Any, **named: Any) -> Any:
        return self._kept(super().update(*args, **named))

    def delete(self, urn: str, id_: str, inputs: Any, outputs: Any, timeout: float) -> None:
        with self._lock:
            self._may(inputs, "delete", urn)
            self.objects.pop(id_, None)
        self._kept(None)

    def _kept(self, result: Any) -> Any:
        with self._lock:
            new = self._file.with_suffix(".new")
            new.write_text(json.dumps(self.objects))
            new.replace(self._file)
        return result


def _perform(request: dict[str, Any], say: Any) -> None:
    from dataops.infra.engine.operation import Surroundings
    from dataops.infra.engine.options import UpdateOptions
    from dataops.infra.engine.update_run import UpdateRun
    from dataops.infra.events.engine_events import DiagnosticEvent, Event
    from dataops.infra.providers.registry import ProviderContext, ProviderRegistry
    from support.graph_program import GraphProgram
    from support.mortal_storage import Fate, MortalStorage

    def last_words(moment: str) -> None:
        say({"killed": moment})

    warnings: list[str] = []

    def receive(event: Event) -> None:
        if isinstance(event, DiagnosticEvent) and event.severity == "warning":
            warnings.append(event.message)

    nodes = {name: Node(**{**fields, "uses": tuple(fields["uses"])}) for name, fields in request["nodes"].items()}
    world = LastingWorld(Path(request["world"]))
    storage = MortalStorage(Path(request["state"]), Fate(request["kill_at"], last_words))
    with StackBackend(storage).begin(STACK, "update", _secrets(request["salt"])) as session:
        registry = ProviderRegistry({"world": lambda context: world})
        around = Surroundings({}, registry, None, lambda name: Deployment(), ProviderContext("", root=Path.cwd()))
        run = UpdateRun("update", False, STACK, UpdateOptions(), receive, session, around)
        failed = run.go(GraphProgram(nodes)).failed
    say({"failed": failed, "warnings": warnings})


_known: dict[str, PassphraseSecrets] = {}


def _secrets(salt: str) -> PassphraseSecrets:
    if salt not in _known:
        _known[salt] = PassphraseSecrets("a passphrase for tests", salt)
        _known[salt].verify()
    return _known[salt]


def _serve() -> None:
    """Answers requests until there are no more; everything that a child needs is loaded before it is forked."""
    import dataops.infra.engine.update_run  # noqa: F401
    from dataops.infra.providers.protocol import load

    for name in ("resource_pb2_grpc", "engine_pb2_grpc", "provider_pb2_grpc", "callback_pb2_grpc"):
        load(name)
    for line in sys.stdin:
        request = json.loads(line)
        _secrets(request["salt"])
        answer = {"killed": "", "failed": False, "warnings": [], "error": ""}
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _live(request, writing)
        os.close(writing)
        with os.fdopen(reading) as said:
            for words in said:
                answer |= json.loads(words)
        _, status = os.waitpid(child, 0)
        if status and not answer["killed"] and not answer["error"]:
            answer["error"] = f"wait status {status}"
        print(json.dumps(answer), flush=True)


def _live(request: dict[str, Any], writing: int) -> None:
    def say(words: dict[str, Any]) -> None:
        os.write(writing, json.dumps(words).encode() + b"\n")

    status = 0
    try:
        _perform(request, say)
    except BaseException as error:
        say({"error": f"{type(error).__name__}: {error}"})
        status = 1
    os._exit(status)


def names_of(deployment: Deployment, pending: str) -> set[str]:
    """The names of the resources with a pending operation of a kind."""
    return {name_of(item.resource.urn) for item in deployment.pending_operations if item.kind == pending}


if __name__ == "__main__":
    _serve()
