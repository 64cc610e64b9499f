"""`dataops:docker:Job` and `dataops:docker:Exec`: commands that run to their end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dataops.infra.errors import DeadlineError, ResourceError
from dataops.infra.process.commands import last_lines
from dataops.infra.providers.base import CheckFailure, CreateResult, Operation, ReadResult, Recorded, ResourceHandler
from dataops.infra.providers.docker import containers
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import ContainerExitedError, translated
from dataops.infra.providers.docker.marks import NOTED, SPECIFICATION, labels_of, refuse_others
from dataops.infra.providers.docker.specification import BASE, OPTIONAL, check, specification_of


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended: its exit status, and the end of what it printed."""

    status: int
    log: str


def run_job(engine: Engine, inputs: Mapping[str, Any], seconds: float = 0) -> Ended:
    """Runs a container to its end, or waits for the one of the same specification that was begun before.

    Args:
        inputs: as those of `JobHandler`.
        seconds: how long it may take; 0 for no limit.

    Raises:
        ContainerExitedError, OutOfMemoryError: it failed. It is left for who wants to look into it; the next run of
            the job removes it.
        DeadlineError: it took too long and was ended.
    """
    name = str(inputs["name"])
    image = containers.image_id(engine, str(inputs["image"]))
    wanted = specification_of(inputs, image)
    found = containers.find(engine, name)
    if found is not None:
        refuse_others("container", name, found["Config"]["Labels"], inputs)
        state = found["State"]
        same = found["Config"]["Labels"].get(SPECIFICATION) == wanted
        if not same or not (state["Running"] or (state["Status"] == "exited" and state["ExitCode"] == 0)):
            containers.remove(engine, name, inputs)
            found = None
    if found is None:
        containers.make(engine, inputs, labels_of(inputs, specification=wanted), image, {})
    _wait(engine, inputs, seconds)
    found = containers.find(engine, name)
    if found is None:
        raise ResourceError(f"the container {name} was removed while it ran", hint="run the command again")
    if found["State"]["OOMKilled"] or found["State"]["ExitCode"] != 0:
        raise containers.ended(engine, found)
    return Ended(0, containers.log_tail(engine, found["Id"]))


def _wait(engine: Engine, inputs: Mapping[str, Any], seconds: float) -> None:
    from dataops.infra.providers.docker.library import LostConnection, NotFound, ReadTimeout

    name = str(inputs["name"])
    try:
        with translated(f"wait for the container {name}"):
            try:
                engine.client.wait(name, timeout=seconds or None)
            except (ReadTimeout, LostConnection) as error:
                if not seconds or containers.find(engine, name) is None:
                    raise
                containers.remove(engine, name, inputs)
                raise DeadlineError(f"the container {name} did not end within {seconds:g} s") from error
    except NotFound:
        return


class JobHandler(ResourceHandler):
    """A one-off run, done when it ends with status 0. It runs again when any of its inputs changes.

    Inputs as `ContainerHandler`'s but `ports`, `health` and `restart`; `triggers`: values whose change runs it again;
    `seconds`: how long it may take. Outputs: `exitCode`, `log` (its last lines).
    """

    token = "dataops:docker:Job"
    required = BASE
    optional = OPTIONAL | {"triggers", "seconds"}
    noted = NOTED
    replace_on = frozenset({"name", "platform", "environment"})
    outputs = frozenset({"name", "exitCode", "log"})
    delete_before_replace = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self, inputs: dict[str, Any]) -> Iterable[CheckFailure]:
        return check(inputs)

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        done = run_job(self._engine, inputs, float(inputs.get("seconds") or operation.timeout))
        name = str(inputs["name"])
        return CreateResult(name, {"name": name, "exitCode": done.status, "log": done.log})

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        containers.remove(self._engine, recorded.id, recorded.inputs)


class ExecHandler(ResourceHandler):
    """A command in a container that runs. After a crash it may run a second time, so it must bear that.

    Inputs: `container` (a name), `command`; `user`, `workingDirectory`, `variables`; `triggers`: values whose change
    runs it again. Outputs: `exitCode`, `log`, which is secret, since commands print what they like.
    """

    token = "dataops:docker:Exec"
    required = frozenset({"container", "command"})
    optional = frozenset({"user", "workingDirectory", "variables", "triggers"})
    replace_on = frozenset({"container"})
    outputs = frozenset({"exitCode", "log"})
    secret_outputs = frozenset({"log"})

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        command = [str(word) for word in inputs["command"]]
        status, printed = containers.run_inside(
            self._engine,
            str(inputs["container"]),
            command,
            str(inputs.get("user") or ""),
            inputs.get("variables"),
            str(inputs.get("workingDirectory") or ""),
        )
        log = last_lines(printed, containers.LOG_LINES)
        if status != 0:
            what = f"{command[0]} in the container {inputs['container']} ended with exit status {status}"
            raise ContainerExitedError(what, details=log)
        return CreateResult(f"{inputs['container']}/{command[0]}", {"exitCode": status, "log": log})

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        return ReadResult(recorded.id, recorded.outputs)

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        """What a command did stays."""
