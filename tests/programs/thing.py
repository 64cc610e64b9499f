"""Resources of the package `world`, for the programs beside this file."""

from typing import Any

import pulumi


class Thing(pulumi.CustomResource):
    value: pulumi.Output[str]
    generation: pulumi.Output[int]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__("world:index:Thing", name, {"value": None, "generation": None, **inputs}, opts)


class Group(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("world:index:Group", name, None, opts)
