"""`dataops:local:Supervisor`: what keeps an environment's programs running."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataops.infra.process.supervisor import Supervisor
from dataops.infra.providers.base import CreateResult, Operation, ReadResult, Recorded, ResourceHandler


class SupervisorHandler(ResourceHandler):
    """A detached supervisord. Deleting it stops every program it keeps.

    Inputs: `directory`, and `environment`, the name it shows.
    """

    token = "dataops:local:Supervisor"
    required = frozenset({"directory", "environment"})
    replace_on = frozenset({"directory"})
    outputs = frozenset({"directory", "socket", "running"})

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        supervisor = Supervisor(Path(inputs["directory"]))
        supervisor.directory.parent.mkdir(parents=True, exist_ok=True)
        supervisor.start(str(inputs["environment"]))
        return CreateResult(str(supervisor.directory), _outputs(supervisor))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        supervisor = Supervisor(Path(recorded.id))
        if not supervisor.directory.is_dir():
            return ReadResult("", {})
        return ReadResult(recorded.id, _outputs(supervisor))

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        return [] if recorded.outputs.get("running") else ["running"]

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        Supervisor(Path(recorded.id)).remove()


def _outputs(supervisor: Supervisor) -> dict[str, Any]:
    return {
        "directory": str(supervisor.directory),
        "socket": str(supervisor.socket),
        "running": supervisor.pid() is not None,
    }
