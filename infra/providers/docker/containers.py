"""Containers on an engine: found by name and labels, made, started, waited for, ended, removed.

Every step is idempotent: it looks at what is there and does what is missing.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from dataops.infra.errors import DataopsError, ResourceError
from dataops.infra.process.commands import last_lines
from dataops.infra.process.ports import LOOPBACK, free_port, is_free
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import (
    ContainerExitedError,
    ImageNotFoundError,
    NeverHealthyError,
    OutOfMemoryError,
    PortTakenError,
    look_up,
    translated,
)
from dataops.infra.providers.docker.marks import refuse_others
from dataops.infra.providers.docker.specification import configuration, further_networks, ports_of

LOG_LINES = 30
READY_SECONDS = 60.0
SETTLED_SECONDS = 0.5
"""How long a container without a health check has to run before it counts as started."""
ATTEMPTS = 5
_PAUSE = 0.05


def find(engine: Engine, name: str) -> dict[str, Any] | None:
    """What the engine says of a container, None when there is none of that name."""
    container = look_up(f"the container {name}", lambda: engine.client.inspect_container(name))
    # ids and their beginnings are found, too
    return container if container and container["Name"] == f"/{name}" else None


def image_id(engine: Engine, image: str) -> str:
    """The id of an image that the engine has.

    Raises:
        ImageNotFoundError: it has none of that name.
    """
    known = engine.image(image)
    if known is None:
        raise ImageNotFoundError(f"the Docker Engine has no image {image}", hint="docker pull, or build it")
    return str(known["Id"])


def make(
    engine: Engine, inputs: Mapping[str, Any], labels: Mapping[str, str], image: str, kept_ports: Mapping[str, int]
) -> dict[str, Any]:
    """Makes and starts a container, on other ports when somebody takes those that were free when they were chosen.

    Args:
        kept_ports: ports of this machine that it had before; they stay as long as they are free.

    Raises:
        PortTakenError: a port that `inputs` fixes is taken.
    """
    fixed = {p: host for p, host in ports_of(inputs).items() if host}
    tried: set[int] = set()
    kept = {p: host for p, host in kept_ports.items() if host}
    for _ in range(ATTEMPTS):
        ports: dict[str, int] = {}
        for port in ports_of(inputs):
            host = fixed.get(port) or kept.get(port) or free_port(tried | set(ports.values()))
            ports[port] = host if port in fixed or is_free(host) else free_port(tried | set(ports.values()))
        _create(engine, inputs, labels, image, ports)
        try:
            return start(engine, str(inputs["name"]))
        except PortTakenError:
            remove(engine, str(inputs["name"]), inputs)
            if any(not is_free(host) for host in fixed.values()):
                raise
            tried |= set(ports.values())
            kept = {}
    raise PortTakenError(f"{ATTEMPTS} times another program took the port of {inputs['name']} before it was used")


def _create(
    engine: Engine, inputs: Mapping[str, Any], labels: Mapping[str, str], image: str, ports: Mapping[str, int]
) -> None:
    from dataops.infra.providers.docker.library import APIError, NotFound

    name, client = str(inputs["name"]), engine.client
    try:
        with translated(f"make the container {name}"):
            client.create_container_from_config(configuration(inputs, labels, ports, image), name)
            for network in further_networks(inputs):
                client.connect_container_to_network(name, network["name"], aliases=list(network.get("aliases") or []))
    except NotFound as error:
        raise ResourceError(f"the container {name} could not be made", details=str(error.explanation)) from error
    except APIError as error:
        raise ResourceError(
            f"the container {name} could not be made: somebody makes one of that name at the same time",
            hint="run the command again",
        ) from error


def start(engine: Engine, name: str) -> dict[str, Any]:
    """Starts a container that is there.

    Raises:
        PortTakenError: a port that it was given is taken by now.
        ContainerExitedError: its command cannot be run.
    """
    from dataops.infra.providers.docker.library import APIError, NotFound

    try:
        with translated(f"start the container {name}"):
            engine.client.start(name)
    except NotFound as error:
        raise ResourceError(f"the container {name} could not be started", details=str(error.explanation)) from error
    except APIError as error:
        raise ResourceError(f"the container {name} could not be started", details=str(error.explanation)) from error
    except ResourceError as error:
        # the engine has one status for all that can be wrong with a start: look at the facts
        found = find(engine, name)
        taken = [port for port in bound_ports(found).values() if port and not is_free(port)] if found else []
        if taken:
            ports = ", ".join(str(port) for port in taken)
            raise PortTakenError(
                f"the port {ports} of {LOOPBACK} is taken", details=error.details, hint=f"ss -tlnp sport = :{taken[0]}"
            ) from error
        raise
    started = find(engine, name)
    if started is None:
        raise ResourceError(f"the container {name} was removed while it started", hint="run the command again")
    return started


def remove(engine: Engine, name: str, inputs: Mapping[str, Any], stop_seconds: int | None = None) -> None:
    """Ends and removes a container; one that is gone is no error.

    Args:
        inputs: whose it must be.
        stop_seconds: what it may take to end by itself; None for what it was made with.

    Raises:
        NotOursError: it is somebody else's.
    """
    from dataops.infra.providers.docker.library import APIError, NotFound

    found = find(engine, name)
    if found is None:
        return
    refuse_others("container", name, found["Config"]["Labels"], inputs)
    if found["State"]["Running"]:
        stop(engine, found, stop_seconds)
    try:
        with translated(f"remove the container {name}"), suppress(NotFound):
            engine.client.remove_container(found["Id"], force=True, v=True)
    except APIError:
        # somebody else removes it right now
        deadline = time.monotonic() + READY_SECONDS
        while find(engine, name) is not None and time.monotonic() < deadline:
            time.sleep(_PAUSE)


def stop(engine: Engine, found: Mapping[str, Any], seconds: int | None = None) -> None:
    """Ends a container, by force when it takes longer than it may."""
    from dataops.infra.providers.docker.library import NotFound

    allowed = seconds if seconds is not None else found["Config"].get("StopTimeout") or 10
    with translated(f"stop the container {found['Name'][1:]}"), suppress(NotFound):
        engine.client.stop(found["Id"], timeout=allowed)


def wait_until_ready(engine: Engine, inputs: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Waits until a container that was started is healthy, or has run for a moment where nothing says what healthy is.

    The check is asked at once and often rather than at the interval at which the engine asks it.

    Raises:
        ContainerExitedError, OutOfMemoryError: it ended.
        NeverHealthyError: it is not healthy in time.
    """
    name, health = str(inputs["name"]), inputs.get("health") or {}
    begun = time.monotonic()
    while True:
        found = find(engine, name)
        if found is None:
            raise ResourceError(f"the container {name} was removed while it started", hint="run the command again")
        if not found["State"]["Running"] or found["State"].get("Restarting") or found["RestartCount"]:
            raise ended(engine, found)
        passed = time.monotonic() - begun
        if health and _is_healthy(engine, found, health):
            return found
        if not health and passed >= SETTLED_SECONDS:
            return found
        if passed >= seconds:
            raise NeverHealthyError(
                f"the container {name} did not become healthy within {seconds:g} s",
                details=_last_words(engine, found),
                hint=f"docker logs {name}",
            )
        time.sleep(_PAUSE)


def _is_healthy(engine: Engine, found: Mapping[str, Any], health: Mapping[str, Any]) -> bool:
    if "path" in health:
        port = bound_ports(found).get(str(int(health["port"])))
        return port is not None and _answers(f"http://{LOOPBACK}:{port}{health['path']}")
    if (found["State"].get("Health") or {}).get("Status") == "healthy":
        return True
    command = health["command"]
    words = ["sh", "-c", command] if isinstance(command, str) else list(command)
    with suppress(DataopsError):
        return run_inside(engine, found["Id"], words)[0] == 0
    return False


def _answers(url: str) -> bool:
    # a proxy that the variables name has no way to this machine's loopback
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError, ValueError):
        return False


def run_inside(
    engine: Engine,
    container: str,
    command: list[str],
    user: str = "",
    variables: Mapping[str, str] | None = None,
    directory: str = "",
) -> tuple[int, str]:
    """Runs a command in a running container; gives its exit status and what it printed.

    Raises:
        ResourceError: the container is gone or does not run.
    """
    from dataops.infra.providers.docker.library import APIError

    client = engine.client
    try:
        with translated(f"run {command[0]} in a container"):
            made = client.exec_create(
                container, command, user=user, environment=dict(variables or {}), workdir=directory or None
            )
            printed = client.exec_start(made["Id"])
            status = client.exec_inspect(made["Id"])["ExitCode"]
    except APIError as error:
        raise ResourceError(f"the container {container} does not run", details=str(error.explanation)) from error
    return (-1 if status is None else int(status)), printed.decode(errors="replace")


def ended(engine: Engine, found: Mapping[str, Any]) -> ContainerExitedError:
    """The error for a container that ended, or that the engine keeps starting again."""
    name, state = found["Name"][1:], found["State"]
    log = _last_words(engine, found)
    if state["OOMKilled"]:
        limit = found["HostConfig"]["Memory"]
        allowed = f" of {limit >> 20} MiB" if limit else ""
        return OutOfMemoryError(
            f"the container {name} ran out of memory: it took more than its limit{allowed}",
            details=log,
            hint="raise its limits.memory",
        )
    why = f"; {state['Error']}" if state.get("Error") else ""
    return ContainerExitedError(
        f"the container {name} ended with exit status {state['ExitCode']}{why}", details=log, hint=f"docker logs {name}"
    )


def log_tail(engine: Engine, container: str, lines: int = LOG_LINES) -> str:
    """The last lines that a container printed."""
    with translated("read a log"):
        text: bytes = engine.client.logs(container, tail=lines)
    return last_lines(text.decode(errors="replace"), lines)


def _last_words(engine: Engine, found: Mapping[str, Any]) -> str | None:
    with suppress(DataopsError):
        return log_tail(engine, found["Id"]) or None
    return None


def bound_ports(found: Mapping[str, Any] | None) -> dict[str, int]:
    """Port of the container to port of this machine, as it was made."""
    bindings = ((found or {}).get("HostConfig") or {}).get("PortBindings") or {}
    return {port.partition("/")[0]: int(hosts[0]["HostPort"] or 0) for port, hosts in bindings.items() if hosts}
