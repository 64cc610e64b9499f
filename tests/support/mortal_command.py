"""`dataops stack`, hundreds of times, each in a process forked from one that is warm, and mortal at its storage.

Run as a program, this file is the warm process: it reads a request a line, forks, lets the child be the command, and
answers with its exit status, negative for a signal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

PROGRAMS = Path(__file__).resolve().parents[1] / "programs" / "mortal"


class End(NamedTuple):
    """How a command ended.

    Attributes:
        status: its exit status, negative for a signal.
        said: what it printed to either stream.
    """

    status: int
    said: str


class MortalCommands:
    """Commands, each in a process of its own. A context manager."""

    def __init__(self) -> None:
        self._warm = subprocess.Popen(
            [sys.executable, "-m", "support.mortal_command"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            env={**os.environ, "GRPC_VERBOSITY": "NONE"},
            text=True,
        )

    def __enter__(self) -> MortalCommands:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType) -> None:
        self._warm.communicate(timeout=60)

    def run(self, folder: Path, variables: Mapping[str, str], *words: str) -> End:
        """Runs `dataops` with the words in a folder."""
        assert self._warm.stdin and self._warm.stdout
        request = {"folder": str(folder), "variables": dict(variables), "words": words}
        self._warm.stdin.write(json.dumps(request) + "\n")
        self._warm.stdin.flush()
        answer = json.loads(self._warm.stdout.readline())
        return End(answer["status"], (folder / "said").read_text(errors="replace"))


def _serve() -> None:
    """Answers requests until there are no more; everything that a child needs is loaded before it is forked."""
    import dataops.cli.commands.stack_update
    import dataops.cli.main
    import dataops.cli.operation
    import dataops.infra.engine.deployer
    import dataops.infra.engine.update_run  # noqa: F401
    from dataops.infra.providers.protocol import load

    for name in ("resource_pb2_grpc", "engine_pb2_grpc", "provider_pb2_grpc", "callback_pb2_grpc"):
        load(name)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _live(request)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)


def _live(request: dict[str, Any]) -> None:
    status = 70
    try:
        said = os.open(Path(request["folder"]) / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, stream in enumerate((nothing, said, said)):
            os.dup2(stream, number)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["variables"])
        status = _perform(request["words"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _perform(words: list[str]) -> int:
    sys.path.insert(0, str(PROGRAMS))
    from fate import FOLDER  # type: ignore[import-not-found]

    from dataops.cli.main import main
    from dataops.infra.state import file_backend
    from support.mortal_storage import Fate, MortalStorage

    victim, _, number = os.environ.get("FATE", "").partition(":")

    def last_words(name: str) -> None:
        (FOLDER / "killed").write_text(name)

    fate = Fate(int(number) if victim == "engine" else 0, last_words)
    vars(file_backend)["FileStorage"] = lambda root: MortalStorage(root, fate)
    status = main(words)
    (FOLDER / "engine").write_text("".join(f"{name}\n" for name in fate.passed))
    return status


if __name__ == "__main__":
    _serve()
