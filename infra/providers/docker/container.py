"""`dataops:docker:Container`: a process that runs as long as the environment is up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dataops.infra.errors import DataopsError
from dataops.infra.providers.base import (
    CheckFailure,
    CreateResult,
    Operation,
    ReadResult,
    Recorded,
    ResourceHandler,
    UpdateResult,
)
from dataops.infra.providers.docker import containers
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import translated
from dataops.infra.providers.docker.marks import NOTED, SPECIFICATION, labels_of, refuse_others
from dataops.infra.providers.docker.specification import (
    BASE,
    OPTIONAL,
    check,
    host_limits,
    ports_of,
    restart_policy,
    specification_of,
)


class ContainerHandler(ResourceHandler):
    """A container, found by its name. It is made anew, on the same ports, when something of it changes that a running
    container cannot change; limits and restart policy are changed as it runs.

    Inputs, beside `name`, `image`, `platform`, `environment`, `release`, `owner`:
        command, entrypoint: lists of words. user, workingDirectory, hostname.
        variables: name to value. They are seen by whoever has the engine's socket: mount files for secrets.
        environmentFile, environmentDigest: a dotenv file on this machine, and what changes with its content.
        mounts: `{type: bind|volume|tmpfs, source, target, readOnly, size, mode}`.
        networks: `{name, aliases}`; without one there is no network.
        ports: `{container, host}`, reached at 127.0.0.1 only; without `host` a free one is chosen and kept.
        health: `{command}` in the container, or `{path, port}` over HTTP; `interval`, `timeout`, `retries`,
            `startPeriod` for the engine's own checks.
        limits: `{memory, cpus, pids, sharedMemory}`. restart: `no`, `always`, `unless-stopped`, `on-failure:N`.
        readOnly: whether its root is. capabilities: those that are not dropped. logs: `{maxSize, maxFiles}`.
        stopTimeout (seconds), stopSignal. readySeconds: what it may take to become healthy.
        generation: names the data that it works on; another name makes another container.

    Outputs: `containerId`, `imageId`, `ports` (container's to this machine's), `running`.
    """

    token = "dataops:docker:Container"
    required = BASE
    optional = OPTIONAL | {"ports", "health", "restart", "readySeconds"}
    noted = NOTED
    replace_on = frozenset({"name", "platform", "environment"})
    outputs = frozenset({"name", "containerId", "imageId", "ports", "running"})
    delete_before_replace = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self, inputs: dict[str, Any]) -> Iterable[CheckFailure]:
        return check(inputs)

    def create(self, operation: Operation, inputs: dict[str, Any]) -> CreateResult:
        return self._ensure(operation, inputs, {})

    def update(self, operation: Operation, recorded: Recorded, inputs: dict[str, Any]) -> UpdateResult:
        return UpdateResult(self._ensure(operation, inputs, recorded.outputs.get("ports") or {}).outputs)

    def read(self, operation: Operation, recorded: Recorded) -> ReadResult:
        found = containers.find(self._engine, recorded.id)
        return ReadResult(recorded.id, _outputs(found)) if found else ReadResult("", {})

    def drifted(self, recorded: Recorded, inputs: dict[str, Any]) -> list[str]:
        return ["running"] if recorded.outputs.get("running") is False else []

    def delete(self, operation: Operation, recorded: Recorded) -> None:
        containers.remove(self._engine, recorded.id, recorded.inputs)

    def _ensure(self, operation: Operation, inputs: dict[str, Any], ports: dict[str, Any]) -> CreateResult:
        engine, name = self._engine, str(inputs["name"])
        image = containers.image_id(engine, str(inputs["image"]))
        wanted = specification_of(inputs, image)
        found = containers.find(engine, name)
        if found is not None:
            refuse_others("container", name, found["Config"]["Labels"], inputs)
            if found["Config"]["Labels"].get(SPECIFICATION) == wanted:
                found = self._restarted(found, inputs)
            else:
                ports = ports or containers.bound_ports(found)
                containers.remove(engine, name, inputs)
                found = None
        if found is None:
            kept = {port: int(host) for port, host in ports.items() if port in ports_of(inputs)}
            containers.make(engine, inputs, labels_of(inputs, specification=wanted), image, kept)
        seconds = operation.timeout or float(inputs.get("readySeconds") or containers.READY_SECONDS)
        return CreateResult(name, _outputs(containers.wait_until_ready(engine, inputs, seconds)))

    def _restarted(self, found: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any] | None:
        """The container, running and with the limits that are asked for; None when it has to be made anew."""
        host = found["HostConfig"]
        limits = host_limits(inputs)
        if any((host.get(name) or 0) != value for name, value in limits.items()) or host[
            "RestartPolicy"
        ] != restart_policy(inputs):
            if any(not value and host.get(name) for name, value in limits.items()):
                containers.remove(self._engine, str(inputs["name"]), inputs)
                return None  # the engine can change a limit, but not take it away
            self._change({**{n: v for n, v in limits.items() if v}, "RestartPolicy": restart_policy(inputs)}, found)
        if found["State"]["Running"] and not found["State"].get("Paused"):
            return found
        try:
            return containers.start(self._engine, str(inputs["name"]))
        except DataopsError:
            # what it was made with is gone: a port, a network, a folder
            containers.remove(self._engine, str(inputs["name"]), inputs)
            return None

    def _change(self, settings: dict[str, Any], found: dict[str, Any]) -> None:
        client = self._engine.client
        with translated(f"change the container {found['Name'][1:]}"):
            # the library's own call knows neither a limit of processes nor fractions of a processor
            answer = client._post_json(client._url("/containers/{0}/update", found["Id"]), data=settings)
            client._raise_for_status(answer)


def _outputs(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": found["Name"][1:],
        "containerId": found["Id"],
        "imageId": found["Image"],
        "ports": containers.bound_ports(found),
        "running": bool(found["State"]["Running"]) and not found["State"].get("Paused"),
    }
