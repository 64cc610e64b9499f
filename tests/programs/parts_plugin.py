"""A plugin of the package `parts`, on the provider server of the SDK: a component of two things, with a method."""

import sys
from pathlib import Path
from typing import Any

import pulumi
from pulumi.provider import CallResult, ConstructResult, Provider, main

sys.path.insert(0, str(Path(__file__).resolve().parent))
from thing import Thing  # type: ignore[import-not-found]


class Pair(pulumi.ComponentResource):
    """Two things, the second made of the first."""

    def __init__(self, name: str, value: Any, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parts:index:Pair", name, None, opts)
        below = pulumi.ResourceOptions(parent=self)
        self.first = Thing(f"{name}-first", value=value, opts=below)
        self.second = Thing(f"{name}-second", value=self.first.value, opts=below)
        self.register_outputs({"both": pulumi.Output.concat(self.first.value, "+", self.second.value)})


class Parts(Provider):
    def __init__(self) -> None:
        super().__init__("1.0.0")

    def construct(
        self, name: str, resource_type: str, inputs: Any, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        if resource_type != "parts:index:Pair":
            raise ValueError(f"there is no component {resource_type}")
        pair = Pair(name, inputs["value"], options)
        return ConstructResult(pair.urn, {"both": pulumi.Output.concat(pair.first.value, "+", pair.second.value)})

    def call(self, token: str, args: Any) -> CallResult:
        return CallResult(outputs={"said": pulumi.Output.concat("hello ", args["whom"])})


if __name__ == "__main__":
    main(Parts(), sys.argv[1:])
