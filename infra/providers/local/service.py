"""`dataops:local:Service`: a program of the branch that is kept running and answers on a port."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from dataops.infra.errors import DeadlineError, ResourceError
from dataops.infra.platform.addresses import refuse_values
from dataops.infra.process.containers import ContainerPlace, ContainerProgram, Handed, code_program, shim_command
from dataops.infra.process.dotenv import NAME, read_variables
from dataops.infra.process.ports import LOOPBACK, free_port, is_free
from dataops.infra.process.postgres_server import newest_log_lines
from dataops.infra.process.programs import LaunchSpecification
from dataops.infra.process.supervisor import PROGRAM_NAME, SupervisedProgram, Supervisor
from dataops.infra.providers.base import (
    CheckFailure,
    CreateResult,
    Operation,
    ReadResult,
    Recorded,
    ResourceHandler,
    UpdateResult,
)
from dataops.infra.providers.local.listening import answers, listens

READY_SECONDS = 60.0
PORT_ATTEMPTS = 3
SIGTERM = 15
ANYWHERE = "0.0.0.0"
"""Where programs in containers listen: on their own network, and where their port is published."""


class ServiceHandler(ResourceHandler):
    """A supervised program; creating it is done when it is ready.

    Ready is: `health` answers with a status below 400; without `health`, the port accepts connections; without a port,
    the program has run for a second. Variables come from `environmentFile`, then `variables`, then the port.
    It is restarted when `environmentDigest` or `generation` changes: what it has read is another than it was.

    With `container`, a `ContainerPlace`, it runs in a container: it is told by `HOST` to listen on all of its network,
    or by the variable that `listenVariable` names, as host and port. With `mounts` it is no program of the branch, but
    one of the container's image that sees nothing else of this machine; a mount has a `source` of this machine or a
    `volume` of the engine, into which `handed` are put before it starts: `files` by their names below `into`.

    A service that is made anew gets the port that it had, as long as nobody else has it: others know its address.
    """

    token = "dataops:local:Service"
    required = frozenset({"supervisor", "name", "command", "directory", "environmentFile"})
    optional = frozenset(
        {
            *("variables", "portVariable", "health", "logFile", "environmentDigest", "generation"),
            *("container", "mounts", "handed", "listenVariable"),
        }
    )
    replace_on = frozenset({"supervisor", "name"})
    outputs = frozenset({"name", "port", "url", "running"})
    delete_before_replace = True

    def check(self, inputs: dict[str, Any]) -> list[CheckFailure]:
        failures = []
        if "name" in inputs and not PROGRAM_NAME.fullmatch(str(inputs["name"])):
            failures.append(CheckFailure("name", "may have letters, digits, '_', '.' and '-' only"))
        if "command" in inputs and not (isinstance(inputs["command"], list) and inputs["command"]):
            failures.append(CheckFailure("command", "must be a list: a program and its arguments"))
        if inputs.get("portVariable") and not NAME.fullmatch(str(inputs["portVariable"])):
            failures.append(CheckFailure("portVariable", "cannot name a variable"))
        if inputs.get("health") and not str(inputs["health"]).startswith("/"):
            failures.append(CheckFailure("health", "must be a path that begins with '/'"))
        if inputs.get("health") and inputs.get("portVariable") == "":
            failures.append(CheckFailure("health", "needs a portVariable"))
        return failures

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        supervisor = Supervisor(Path(inputs["supervisor"]))
        try:
            outputs = _run(supervisor, inputs, _port_of(supervisor, inputs), operation.timeout, restart=False)
        except (ResourceError, DeadlineError):
            supervisor.drop(_program(inputs))
            raise
        return CreateResult(_program(inputs), outputs)

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        supervisor = Supervisor(Path(str(recorded.inputs["supervisor"])))
        if not _specification(supervisor, recorded.id).exists():
            return ReadResult("", {})
        state = supervisor.state(recorded.id)
        outputs = {**recorded.outputs, "running": state is not None and state.up}
        port = _kept_port(supervisor, recorded.id, str(recorded.inputs.get("portVariable") or ""))
        if port and port != outputs.get("port"):  # it was given another when the environment was woken
            outputs |= {"port": port, "url": _url(port)}
        return ReadResult(recorded.id, outputs)

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        return [] if recorded.outputs.get("running") else ["running"]

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        supervisor = Supervisor(Path(inputs["supervisor"]))
        port = int(recorded.outputs.get("port") or 0) or _port_of(supervisor, inputs)
        restart = any(recorded.inputs.get(name) != inputs.get(name) for name in ("environmentDigest", "generation"))
        return UpdateResult(_run(supervisor, inputs, port, operation.timeout, restart=restart))

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        supervisor = Supervisor(Path(str(recorded.inputs["supervisor"])))
        if port := int(recorded.outputs.get("port") or 0):
            # not in the supervisor's folder, which goes with the supervisor
            note = _noted_port(supervisor, recorded.id)
            if note.parent.parent.is_dir():
                note.parent.mkdir(exist_ok=True)
                note.write_text(str(port), encoding="utf-8")
        supervisor.drop(recorded.id)


def _program(inputs: dict[str, Any]) -> str:
    return f"service-{inputs['name']}"


def _specification(supervisor: Supervisor, program: str) -> Path:
    return supervisor.directory / "programs" / f"{program}.json"


def _noted_port(supervisor: Supervisor, program: str) -> Path:
    """Where the port of a service that was removed is noted."""
    return supervisor.directory.parent / "ports" / program


def _port_of(supervisor: Supervisor, inputs: dict[str, Any]) -> int:
    """The port that an interrupted create chose or that it had before, else a free one; 0 for a service without."""
    variable = inputs.get("portVariable")
    if not variable:
        return 0
    if kept := _kept_port(supervisor, _program(inputs), str(variable)):
        return kept
    try:
        return int(_noted_port(supervisor, _program(inputs)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return free_port()


def _kept_port(supervisor: Supervisor, program: str, variable: str) -> int:
    """The port that a program was last told, 0 when it was told none."""
    try:
        text = _specification(supervisor, program).read_text(encoding="utf-8")
        return int(json.loads(text)["variables"][variable])
    except (OSError, ValueError, KeyError):
        return 0


def _run(supervisor: Supervisor, inputs: dict[str, Any], port: int, timeout: float, *, restart: bool) -> dict[str, Any]:
    """Has the supervisor keep the service, waits until it is ready, and tries another port if this one is taken."""
    name = _program(inputs)
    _refuse_production(supervisor, inputs)
    log = Path(inputs.get("logFile") or supervisor.directory / f"{name}.log")
    state = supervisor.state(name)
    if port and not (state and state.up) and not is_free(port):
        port = free_port({port})
    for attempt in range(PORT_ATTEMPTS):
        supervisor.put(_supervised(inputs, name, port, log), restart=restart or attempt > 0)
        try:
            _wait_ready(supervisor, name, port, str(inputs.get("health") or ""), timeout or READY_SECONDS)
            break
        except (ResourceError, DeadlineError) as error:
            state = supervisor.state(name)
            ours = state is not None and state.up and listens(state.pid, port)
            stolen = port and not ours and not is_free(port)
            if not stolen or attempt == PORT_ATTEMPTS - 1:
                error.details = newest_log_lines(log) or None
                raise
            port = free_port({port})
    return {"name": inputs["name"], "port": port, "url": _url(port), "running": True}


def _url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}" if port else ""


def _refuse_production(supervisor: Supervisor, inputs: dict[str, Any]) -> None:
    """Everything is resolved by now: what the service would see, and what it is started with."""
    file = Path(str(inputs["environmentFile"]))
    own = {name: str(value) for name, value in (inputs.get("variables") or {}).items()}
    seen = {**(read_variables(file) if file.is_file() else {}), **own}
    what, directory = f"the service {inputs['name']}", Path(str(inputs["directory"]))
    refuse_values(seen, supervisor.directory.parent, what, directory)
    words = {f"argument {number}": str(word) for number, word in enumerate(inputs["command"][1:], 1)}
    refuse_values(words, supervisor.directory.parent, what, directory)


def _supervised(inputs: dict[str, Any], name: str, port: int, log: Path) -> SupervisedProgram:
    variables = {key: str(value) for key, value in (inputs.get("variables") or {}).items()}
    if port:
        variables[inputs["portVariable"]] = str(port)
    if inputs.get("listenVariable"):
        variables[inputs["listenVariable"]] = f"{ANYWHERE}:{port}"
    command = tuple(str(word) for word in inputs["command"])
    if inputs.get("container"):
        command = _contained(ContainerPlace.of(inputs["container"]), inputs, command)
    launch = LaunchSpecification(
        command=command,
        directory=str(inputs["directory"]),
        variables=variables,
        variables_file=str(inputs["environmentFile"]),
        death_signal=SIGTERM,
    )
    return SupervisedProgram(name, launch, log, stop_children=True)


def _contained(place: ContainerPlace, inputs: dict[str, Any], command: tuple[str, ...]) -> tuple[str, ...]:
    """The command that runs the service in a container."""
    name, port = str(inputs["name"]), str(inputs.get("portVariable") or "")
    if inputs.get("mounts"):
        mounts = [{key: str(value) for key, value in mount.items()} for mount in inputs["mounts"]]
        program = ContainerProgram(
            name,
            command,
            "",
            shared={mount["target"]: Path(mount["source"]) for mount in mounts if "source" in mount},
            volumes={mount["target"]: mount["volume"] for mount in mounts if "volume" in mount},
            handed=_handed(inputs.get("handed")),
            port_variable=port,
        )
    else:
        program = code_program(place, name, command, variables={"HOST": ANYWHERE}, port_variable=port)
    return shim_command(place, program)


def _handed(told: dict[str, Any] | None) -> Handed | None:
    if not told:
        return None
    return Handed(str(told["into"]), {name: Path(str(path)) for name, path in told["files"].items()})


def _wait_ready(supervisor: Supervisor, name: str, port: int, health: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        state = supervisor.state(name)
        if state is None or state.state in ("BACKOFF", "FATAL", "EXITED", "STOPPED"):
            raise ResourceError(f"{name} ended while starting")
        if answers(port, health) and listens(state.pid, port) if port else state.state == "RUNNING":
            return
        if time.monotonic() > deadline:
            raise DeadlineError(f"{name} was not ready within {seconds:g} s")
        time.sleep(0.05)
