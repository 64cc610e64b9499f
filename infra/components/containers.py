"""The place of an environment's containers, on a target that has any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.declaration import Declared


class ContainerNetwork(Declared):
    """A network of the environment's own on the Docker Engine, and the image that its containers run in."""

    token = "dataops:local:ContainerPlace"
    results = ("imageId", "network", "socket")

    def __init__(self, name: str, *, root: Path, image: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, {"root": str(root), "image": image}, opts)

    def place(self, venv: pulumi.Input[str] = "") -> pulumi.Output[dict[str, Any]]:
        """Where containers run, as resources take it: a `ContainerPlace`.

        Args:
            venv: the virtual environment of their code.
        """
        parts = [self.output(name) for name in ("root", "network", "imageId", "socket")]
        return pulumi.Output.all(*parts, venv).apply(
            lambda at: {"root": at[0], "network": at[1], "image": at[2], "socket": at[3], "venv": at[4]}
        )
