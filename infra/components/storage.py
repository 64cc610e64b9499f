"""The lake of the local target: a tree of files."""

from __future__ import annotations

from pathlib import Path

import pulumi

from dataops.infra.components.declaration import Declared


class LakeDirectory(Declared):
    """A folder of objects, empty or a clone of another."""

    token = "dataops:local:Lake"
    results = ("url",)

    def __init__(
        self,
        name: str,
        *,
        path: Path,
        source: pulumi.Input[str] = "",
        generation: str = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, {"path": str(path), "source": source, "generation": generation or None}, opts)

    @property
    def path(self) -> pulumi.Output[str]:
        return self.output("path")

    @property
    def url(self) -> pulumi.Output[str]:
        """A `file://` URL."""
        return self.output("url")
