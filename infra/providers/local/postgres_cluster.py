"""`dataops:local:PostgresCluster`: the environment's own Postgres server, empty or a clone of a golden directory."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dataops.infra.errors import DeadlineError, ResourceError
from dataops.infra.process import postgres_server, postgres_status
from dataops.infra.process.containers import ContainerPlace, carried_place
from dataops.infra.process.engine_volumes import elsewhere
from dataops.infra.process.ports import LOOPBACK, free_port, is_free
from dataops.infra.process.postgres_binaries import PostgresBinaries, install_binaries
from dataops.infra.process.postgres_configuration import write_configuration
from dataops.infra.process.postgres_container import container_launch
from dataops.infra.process.postgres_server import newest_log_lines
from dataops.infra.process.postgres_status import PORT_NOTE, ServerStatus
from dataops.infra.process.postgres_volume import (
    SOCKETS,
    carried_content,
    carry_cluster,
    carry_programs,
    ensure_password,
    remove_cluster,
    volume_launch,
)
from dataops.infra.process.programs import LaunchSpecification
from dataops.infra.process.supervisor import SupervisedProgram, Supervisor
from dataops.infra.process.users import ServerUser, server_user
from dataops.infra.providers.base import (
    CheckFailure,
    CreateResult,
    Operation,
    ReadResult,
    Recorded,
    ResourceHandler,
    UpdateResult,
)

PROGRAM = "postgres"
MARKER = "dataops.json"
"""Written last into a data directory: without it, the directory is half made and is made anew."""
RESERVED = frozenset({"port", "listen_addresses", "unix_socket_directories", "unix_socket_permissions"})
RETRIES = 10
PORT_ATTEMPTS = 5
BACKOFF_SECONDS = 5.0


class PostgresClusterHandler(ResourceHandler):
    """A cluster kept running by the environment's supervisor, reachable on 127.0.0.1 and a unix socket.

    With `container`, a `ContainerPlace`, the server runs in a container, on the same directory and socket; where the
    engine does not see the files of this machine, on a volume that has a copy, and the superuser connects by loopback.
    Its data are laid anew in place, with the port it has, when `generation` becomes another text.
    """

    token = "dataops:local:PostgresCluster"
    required = frozenset({"dataDirectory", "supervisor"})
    optional = frozenset({"source", "settings", "logFile", "generation", "container"})
    replace_on = frozenset({"dataDirectory"})
    outputs = frozenset(
        {
            *("connection", "host", "port", "dataDirectory", "serverVersion", "systemIdentifier", "running"),
            *("cloned", "carriedBytes"),
        }
    )
    delete_before_replace = True

    def __init__(self, home: Path) -> None:
        self._home = home

    def check(self, inputs: dict[str, Any]) -> list[CheckFailure]:
        settings = inputs.get("settings", {})
        if not isinstance(settings, dict):
            return [CheckFailure("settings", "must map names of settings to values")]
        return [
            CheckFailure("settings", f"'{name}' is chosen by dataops and cannot be set")
            for name in sorted(RESERVED & settings.keys())
        ]

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        data = Path(inputs["dataDirectory"])
        user = server_user()
        binaries = install_binaries(self._home, user)
        made = _ensure_data(data, inputs, binaries, user)
        status = _ensure_running(data, inputs, binaries, user, restart=False)
        return CreateResult(str(data), _outputs(data, status, binaries.version, made))

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        data = Path(recorded.id)
        if not (data / MARKER).exists():
            if _partial(data).exists():  # an update was laying it anew: it is still this one, with its port
                return ReadResult(recorded.id, {**recorded.outputs, "running": False})
            return ReadResult("", {})
        if _elsewhere(data, recorded.inputs):
            return ReadResult("", {})
        status = postgres_status.status(data)
        outputs = {**recorded.outputs, "running": bool(status and status.ready)}
        if status and status.ready and status.port != outputs.get("port"):
            # it was given another when the environment was woken
            outputs |= {"port": status.port, "connection": status.connection}
        return ReadResult(recorded.id, outputs)

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        return [] if recorded.outputs.get("running") else ["running"]

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        data = Path(inputs["dataDirectory"])
        user = server_user()
        binaries = install_binaries(self._home, user)
        if _outdated(data, inputs):
            _lay_aside(data, recorded)
        made = _ensure_data(data, inputs, binaries, user, port=int(recorded.outputs.get("port") or 0))
        restart = any(recorded.inputs.get(name) != inputs.get(name) for name in ("settings", "container"))
        status = _ensure_running(data, inputs, binaries, user, restart=restart)
        return UpdateResult(_outputs(data, status, binaries.version, made))

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        data = Path(recorded.id)
        Supervisor(Path(str(recorded.inputs["supervisor"]))).drop(PROGRAM)
        postgres_server.remove(data)
        if place := carried_place(recorded.inputs):
            remove_cluster(place)
        _partial(data).unlink(missing_ok=True)


def _elsewhere(data: Path, inputs: dict[str, Any]) -> bool:
    """Whether data that were laid are not where the server looks for them: their volume is gone, or on another engine.

    Raises:
        ResourceError: they are, and exist nowhere else.
    """
    place, content = carried_place(inputs), str(_made(data).get("content") or "")
    if content == (carried_content(place) if place else ""):
        return False
    if not inputs.get("source"):
        raise elsewhere(str(data))
    return True


def _made(data: Path) -> dict[str, Any]:
    """What the marker says."""
    found: dict[str, Any] = json.loads((data / MARKER).read_text(encoding="utf-8"))
    return found


def _partial(data: Path) -> Path:
    """Says that `data` was begun by us, and so may be thrown away if it has no marker."""
    return data.with_name(f".{data.name}.partial")


def _outdated(data: Path, inputs: dict[str, Any]) -> bool:
    """Whether the data are complete, and of another generation than is asked for."""
    generation = str(inputs.get("generation") or "")
    if not generation or not (data / MARKER).exists():
        return False
    made = _made(data)
    if "generation" not in made:  # laid when data had no names yet, which makes them the first
        return made.get("source") != str(inputs.get("source") or "") or not generation.endswith("/0")
    return bool(made["generation"] != generation)


def _lay_aside(data: Path, recorded: Recorded) -> None:
    """Ends the server and marks its data as half made; a crash after this has them made anew, and before it nothing."""
    Supervisor(Path(str(recorded.inputs["supervisor"]))).halt(PROGRAM)
    postgres_server.stop(data)
    _partial(data).touch()
    (data / MARKER).unlink()


def _ensure_data(
    data: Path, inputs: dict[str, Any], binaries: PostgresBinaries, user: ServerUser, port: int = 0
) -> dict[str, Any]:
    """Makes the data, unless they are complete; returns how. `port` is the one to keep, 0 for any."""
    place, source = carried_place(inputs), str(inputs.get("source") or "")
    if (data / MARKER).exists() and _elsewhere(data, inputs):
        _partial(data).touch()
        (data / MARKER).unlink()
    if (data / MARKER).exists():
        return _with_programs(data, place, binaries) if place else _made(data)
    if data.exists() and any(data.iterdir()) and not _partial(data).exists():
        raise ResourceError(f"{data} is not empty and was not made by dataops", hint="move it away")
    postgres_server.remove(data)
    data.parent.mkdir(parents=True, exist_ok=True)
    _partial(data).touch()
    made: dict[str, Any] = {"source": source, "generation": str(inputs.get("generation") or "")}
    if place:
        # it would be started again on a volume that is being filled
        Supervisor(Path(inputs["supervisor"])).halt(PROGRAM)
        content, report = carry_cluster(place, data, source, binaries, user)
        made |= {"technique": report.technique, "content": content, "bytes": report.bytes, "build": binaries.build}
    elif source:
        made["technique"] = postgres_server.clone(Path(source), data).technique
        data.chmod(0o700)
    else:
        postgres_server.initialize(data, binaries, user)
        made["technique"] = "initdb"
    if port:
        (data / PORT_NOTE).write_text(str(port), encoding="utf-8")
    _mark(data, made)
    _partial(data).unlink()
    return made


def _with_programs(data: Path, place: ContainerPlace, binaries: PostgresBinaries) -> dict[str, Any]:
    """Sees to it that the volume has the server's programs of this build, too; says how the data were made."""
    made = _made(data)
    if made["build"] != binaries.build:
        carry_programs(place, binaries)
        made["build"] = binaries.build
        _mark(data, made)
    return made


def _mark(data: Path, made: dict[str, Any]) -> None:
    marker = data / MARKER
    marker.with_suffix(".new").write_text(json.dumps(made), encoding="utf-8")
    marker.with_suffix(".new").replace(marker)


def _ensure_running(
    data: Path, inputs: dict[str, Any], binaries: PostgresBinaries, user: ServerUser, *, restart: bool
) -> ServerStatus:
    """Has the server run, and be administered as it is told."""
    status = _ensure_started(data, inputs, binaries, user, restart=restart)
    if place := carried_place(inputs):
        ensure_password(place, data, binaries, user, status.port)
    return status


def _launch(
    place: ContainerPlace | None, data: Path, sockets: Path, binaries: PostgresBinaries, user: ServerUser
) -> LaunchSpecification:
    if place is None:
        return postgres_server.launch_specification(data, binaries, user)
    if place.carried:
        return volume_launch(place, data, binaries, user)
    return container_launch(place, data, sockets, binaries, user)


def _ensure_started(
    data: Path, inputs: dict[str, Any], binaries: PostgresBinaries, user: ServerUser, *, restart: bool
) -> ServerStatus:
    """Configures the server and has the supervisor keep it; tries another port when somebody else takes it."""
    supervisor = Supervisor(Path(inputs["supervisor"]))
    log = Path(inputs.get("logFile") or data.with_name("postgres.log"))
    place = ContainerPlace.of(inputs["container"]) if inputs.get("container") else None
    apart = place is not None and place.carried
    sockets = SOCKETS if apart else postgres_server.sockets_of(data, user)
    program = SupervisedProgram(
        name=PROGRAM,
        launch=_launch(place, data, sockets, binaries, user),
        log=log,
        stop_signal=signal.SIGINT,
        stop_seconds=int(postgres_server.STOP_SECONDS),
        retries=RETRIES,
    )
    found = postgres_status.status(data)
    state = supervisor.state(PROGRAM)
    if found and not (state and state.pid == found.keeper):
        postgres_server.stop(data)  # somebody else's child: left over from a supervisor that was killed
        found = None
    if found and not restart:
        supervisor.put(program)
        return postgres_status.wait_ready(data, alive=_trying(supervisor))
    if found:
        supervisor.halt(PROGRAM)
    for attempt in range(PORT_ATTEMPTS):
        port = _port(data, attempt)
        name, settings = supervisor.directory.parent.name, inputs.get("settings")
        write_configuration(
            data,
            user,
            port=port,
            sockets=sockets,
            settings=settings,
            contained=place is not None,
            apart=apart,
            name=name,
        )
        (data / PORT_NOTE).write_text(str(port), encoding="utf-8")
        supervisor.put(program, restart=attempt > 0)
        try:
            return postgres_status.wait_ready(data, alive=_trying(supervisor))
        except (ResourceError, DeadlineError) as error:
            supervisor.halt(PROGRAM)
            if is_free(port) or attempt == PORT_ATTEMPTS - 1:
                error.details = newest_log_lines(log) or None
                raise
    raise ResourceError(f"the Postgres server of {data} found no free port")


def _port(data: Path, attempt: int) -> int:
    """The port the cluster had, so that connections stay as they are; another one when it is taken."""
    try:
        port = int((data / PORT_NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return free_port()
    return port if attempt == 0 and is_free(port) else free_port({port})


def _trying(supervisor: Supervisor) -> Callable[[], bool]:
    """Says whether the server may still come up: it is tried again for a while, since a killed one takes its time."""
    began = time.monotonic()

    def trying() -> bool:
        state = supervisor.state(PROGRAM)
        if state is not None and state.state == "BACKOFF":
            return time.monotonic() - began < BACKOFF_SECONDS
        return state is not None and state.state in ("STARTING", "RUNNING")

    return trying


def _outputs(data: Path, status: ServerStatus, version: str, made: dict[str, Any]) -> dict[str, Any]:
    return {
        "connection": status.connection,
        "host": LOOPBACK,
        "port": status.port,
        "dataDirectory": str(data),
        "serverVersion": version,
        "systemIdentifier": postgres_server.system_identifier(data),
        "running": True,
        "cloned": made["technique"],
        **({"carriedBytes": made["bytes"]} if "bytes" in made else {}),
    }
