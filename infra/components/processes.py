"""Processes on the local target, who looks after them, and where they answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pulumi

from dataops.infra.components.declaration import Declared


class Supervisor(Declared):
    """The process that starts an environment's others, restarts them and keeps their logs."""

    token = "dataops:local:Supervisor"
    results = ("socket", "running")

    def __init__(
        self, name: str, *, directory: Path, environment: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, {"directory": str(directory), "environment": environment}, opts)

    @property
    def directory(self) -> pulumi.Output[str]:
        """Its folder: the name by which other resources refer to it."""
        return self.output("directory")


class ServiceProcess(Declared):
    """A process under a supervisor; it is done when its health check answers."""

    token = "dataops:local:Service"
    results = ("port", "url", "running")

    def __init__(
        self,
        name: str,
        *,
        supervisor: pulumi.Input[str],
        command: pulumi.Input[list[str]],
        directory: pulumi.Input[str],
        environment_file: pulumi.Input[str],
        environment_digest: pulumi.Input[str],
        variables: Mapping[str, str],
        port_variable: str,
        health: str,
        log_file: Path,
        generation: str = "",
        container: pulumi.Input[object] | None = None,
        mounts: pulumi.Input[list[dict[str, object]]] | None = None,
        handed: pulumi.Input[object] | None = None,
        listen_variable: str = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs: dict[str, pulumi.Input[object] | None] = {
            "supervisor": supervisor,
            "name": name,
            "command": command,
            "directory": directory,
            "environmentFile": environment_file,
            "environmentDigest": environment_digest,
            "variables": dict(variables),
            "portVariable": port_variable,
            "health": health,
            "logFile": str(log_file),
            "generation": generation or None,
            "container": container,
            "mounts": mounts,
            "handed": handed,
            "listenVariable": listen_variable or None,
        }
        super().__init__(name, inputs, opts)

    @property
    def url(self) -> pulumi.Output[str]:
        """Where it answers; "" for one without a port."""
        return self.output("url")

    @property
    def port(self) -> pulumi.Output[int]:
        """The port that it answers on; 0 for none."""
        return self.output("port").apply(int)

    @property
    def running(self) -> pulumi.Output[bool]:
        return self.output("running")


class Endpoints(Declared):
    """The file that says where an environment answers: its presence says that the environment is ready."""

    token = "dataops:local:Endpoints"

    def __init__(
        self,
        name: str,
        *,
        path: Path,
        endpoints: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, {"path": str(path), "endpoints": dict(endpoints)}, opts)

    @property
    def path(self) -> pulumi.Output[str]:
        return self.output("path")

    @property
    def endpoints(self) -> pulumi.Output[dict[str, str]]:
        """Name to URL, without credentials."""
        return self.output("endpoints")
