"""What an environment consists of on a Docker Engine. The inputs are explained where the handlers are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from dataops.infra.components.declaration import Declared


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whose a thing is: what its labels say."""

    platform: str
    environment: str
    release: str = ""
    owner: str = ""

    def inputs(self) -> dict[str, str | None]:
        """As inputs of a resource."""
        return {
            "platform": self.platform,
            "environment": self.environment,
            "release": self.release or None,
            "owner": self.owner or None,
        }


class _Owned(Declared):
    def __init__(
        self,
        resource: str,
        belonging: Belonging,
        inputs: Mapping[str, pulumi.Input[Any] | None],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declares it.

        Args:
            resource: its name in the program.
            belonging: whose it is.
            inputs: as `dataops.infra.providers.docker` explains them, with `name`, the name on the engine.
        """
        super().__init__(resource, {**belonging.inputs(), **inputs}, opts)

    @property
    def name(self) -> pulumi.Output[str]:
        """The name on the engine."""
        return self.output("name")


class Network(_Owned):
    """A network of an environment."""

    token = "dataops:docker:Network"
    results = ("networkId",)


class Volume(_Owned):
    """Data that outlive containers."""

    token = "dataops:docker:Volume"
    results = ("mountpoint",)


class Image(_Owned):
    """An image built from a folder."""

    token = "dataops:docker:Image"
    results = ("reference", "imageId", "content", "digest")

    @property
    def reference(self) -> pulumi.Output[str]:
        """Name and tag, which changes with the content and with nothing else."""
        return self.output("reference")

    @property
    def image_id(self) -> pulumi.Output[str]:
        """What containers are made from."""
        return self.output("imageId")


class PulledImage(Declared):
    """An image that others made."""

    token = "dataops:docker:PulledImage"
    results = ("reference", "imageId", "digest")

    def __init__(
        self, resource: str, name: pulumi.Input[str], record: str = "", opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declares it; `record` is a file in which is kept what the name meant, "" for none."""
        super().__init__(resource, {"name": name, "record": record or None}, opts)

    @property
    def reference(self) -> pulumi.Output[str]:
        """What a Dockerfile may build on: a digest, else the name."""
        return self.output("reference")

    @property
    def image_id(self) -> pulumi.Output[str]:
        """What containers are made from."""
        return self.output("imageId")


class Container(_Owned):
    """A process that runs as long as the environment is up."""

    token = "dataops:docker:Container"
    results = ("containerId", "imageId", "ports", "running")

    def port(self, inside: int) -> pulumi.Output[int]:
        """The port of 127.0.0.1 at which a port of the container is reached."""
        return self.output("ports").apply(lambda ports: int(ports[str(inside)]))


class Job(_Owned):
    """A command that runs to its end in a container of its own."""

    token = "dataops:docker:Job"
    results = ("exitCode", "log")


class Exec(Declared):
    """A command in a container that runs."""

    token = "dataops:docker:Exec"
    results = ("exitCode", "log")

    def __init__(
        self,
        resource: str,
        container: pulumi.Input[str],
        command: pulumi.Input[list[str]],
        inputs: Mapping[str, pulumi.Input[Any] | None] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource, {"container": container, "command": command, **(inputs or {})}, opts)
