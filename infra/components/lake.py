"""The lake of an environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.storage import LakeDirectory


@dataclass(frozen=True, slots=True)
class LakeArgs:
    """Where the objects lie, what they are cloned from ("" for an empty lake), and which generation they are."""

    path: Path
    source: pulumi.Input[str] = ""
    generation: str = ""


class Lake(pulumi.ComponentResource):
    """A store of objects, found by its URL."""

    url: pulumi.Output[str]
    path: pulumi.Output[str]

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:Lake", name, None, opts)
        self.objects = LakeDirectory(
            "objects",
            path=args.path,
            source=args.source,
            generation=args.generation,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url, self.path = self.objects.url, self.objects.path
        outputs: dict[str, Any] = {"url": self.url}
        self.register_outputs(outputs)

    def variables(self) -> dict[str, pulumi.Input[str]]:
        """The environment variable with which programs find the lake."""
        return {"LAKE_URL": self.url}
