"""The Docker Engine of this machine: what it holds of ours, and its refusals in terms of ours.

It is spoken to over its unix socket. What is made on it carries the labels below, and nothing without them is touched.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dataops.infra.errors import ConfigurationError, DeadlineError, NotFoundError, ResourceError
from dataops.infra.process.container_shim import RefusedError, ask
from dataops.infra.process.docker_faults import forbidden, full, is_full, unavailable
from dataops.infra.process.docker_host import docker_socket

ROOT_LABEL = "io.dataops.root"
"""The folder of the environment that a container, network or volume belongs to: the proof that it is ours."""

ENVIRONMENT_LABEL, PLATFORM_LABEL, OWNER_LABEL = "io.dataops.environment", "io.dataops.platform", "io.dataops.owner"
ANSWER_SECONDS, REMOVAL_SECONDS = 60.0, 20.0


@dataclass(frozen=True, slots=True)
class Owned:
    """A thing with our labels: `kind` is `container`, `network` or `volume`, `root` the environment's folder."""

    kind: str
    name: str
    root: str


class ConflictError(ResourceError):
    """What was asked for does not go with what is there: somebody uses it, or has made it meanwhile."""


class DockerEngine:
    """The engine behind a socket; by default where `docker_host.py` finds it."""

    def __init__(self, socket: str = "") -> None:
        self.socket = socket or docker_socket(os.environ)

    def ask(
        self, method: str, resource: str, body: object = None, *, doing: str, seconds: float = ANSWER_SECONDS
    ) -> Any:
        """One question to the engine; its answer as JSON.

        Args:
            doing: what for, in the words of errors.

        Raises:
            NotFoundError: it has no such thing.
            ConflictError, ResourceError: it refuses.
            EngineUnavailableError, EngineForbiddenError, EngineFullError: it is not there, not for us, or full.
        """
        try:
            return ask(self.socket, method, resource, body, seconds)
        except RefusedError as error:
            if is_full(str(error)):
                raise full() from None
            kind = {404: NotFoundError, 409: ConflictError}.get(error.status, ResourceError)
            raise kind(f"{doing} failed: {error}") from None
        except PermissionError:
            raise forbidden(doing, self.socket) from None
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            raise unavailable(doing, str(getattr(error, "strerror", "") or error), self.socket) from None

    def network(self, name: str) -> dict[str, Any] | None:
        """A network, None when there is none."""
        try:
            found: dict[str, Any] = self.ask("GET", f"/networks/{quote(name)}", doing=f"looking at the network {name}")
        except NotFoundError:
            return None
        return found

    def make_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Makes a bridge of its own; containers of other bridges cannot reach what is on it."""
        body = {"Name": name, "Driver": "bridge", "CheckDuplicate": True, "Labels": dict(labels)}
        self.ask("POST", "/networks/create", body, doing=f"making the network {name}")

    def volume(self, name: str) -> dict[str, Any] | None:
        """A volume, None when there is none."""
        try:
            found: dict[str, Any] = self.ask("GET", f"/volumes/{quote(name)}", doing=f"looking at the volume {name}")
        except NotFoundError:
            return None
        return found

    def make_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Makes an empty volume."""
        body = {"Name": name, "Labels": dict(labels)}
        self.ask("POST", "/volumes/create", body, doing=f"making the volume {name}")

    def run_inside(self, container: str, command: Sequence[str], user: str, *, doing: str) -> None:
        """Runs a command in a running container, to its end.

        Raises:
            ResourceError: it fails.
        """
        body = {"Cmd": list(command), "User": user}
        run = self.ask("POST", f"/containers/{quote(container)}/exec", body, doing=doing)["Id"]
        self.ask("POST", f"/exec/{run}/start", {"Detach": True, "Tty": False}, doing=doing)
        deadline = time.monotonic() + ANSWER_SECONDS
        while (state := self.ask("GET", f"/exec/{run}/json", doing=doing))["Running"]:
            if time.monotonic() > deadline:
                raise DeadlineError(f"{doing} did not end within {ANSWER_SECONDS:g} s")
            time.sleep(0.02)
        if state["ExitCode"]:
            raise ResourceError(f"{doing} failed: it ended with {state['ExitCode']}")

    def remove(self, owned: Owned) -> None:
        """Removes a container, running or not, a network or a volume; one that is not there is no error."""
        path, doing = f"/{owned.kind}s/{quote(owned.name)}", f"removing the {owned.kind} {owned.name}"
        try:
            self.ask("DELETE", f"{path}?force=1&v=1" if owned.kind == "container" else path, doing=doing)
        except NotFoundError:
            pass
        except ResourceError:
            if owned.kind != "container" or not self._goes(f"{path}/json"):
                raise

    def _goes(self, path: str) -> bool:
        """Whether a container that could not be removed is being removed already, and is soon gone."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        while time.monotonic() < deadline:
            try:
                self.ask("GET", path, doing="waiting for a container to be gone")
            except NotFoundError:
                return True
            time.sleep(0.05)
        return False

    def owned(self, root: str = "") -> list[Owned]:
        """What carries our labels, containers first: of the environment at `root`, or of all."""
        filters = quote(json.dumps({"label": [f"{ROOT_LABEL}={root}" if root else ROOT_LABEL]}))
        found = []
        doing = "listing what is ours"
        for each in self.ask("GET", f"/containers/json?all=1&filters={filters}", doing=doing):
            found.append(Owned("container", str(each["Names"][0]).lstrip("/"), str(each["Labels"][ROOT_LABEL])))
        for each in self.ask("GET", f"/networks?filters={filters}", doing=doing):
            found.append(Owned("network", str(each["Name"]), str(each["Labels"][ROOT_LABEL])))
        for each in self.ask("GET", f"/volumes?filters={filters}", doing=doing)["Volumes"] or ():
            found.append(Owned("volume", str(each["Name"]), str(each["Labels"][ROOT_LABEL])))
        return found

    def version(self) -> str:
        """The engine's version."""
        return str(self.ask("GET", "/version", doing="asking the Docker Engine for its version")["Version"])


def engine_is_there() -> bool:
    """Whether there is a socket of an engine at all, without asking it."""
    try:
        return Path(docker_socket(os.environ)).is_socket()
    except (ConfigurationError, OSError):
        return False
