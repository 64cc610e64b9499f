"""A program with a component that a plugin makes, and a call of its method."""

from typing import Any

import pulumi
from thing import Thing  # type: ignore[import-not-found]  # beside this file when it runs

settings = pulumi.Config("world")


class Pair(pulumi.ComponentResource):
    both: pulumi.Output[str]

    def __init__(self, name: str, value: Any, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parts:index:Pair", name, {"value": value, "both": None}, opts, remote=True)

    def greet(self, whom: Any) -> pulumi.Output[Any]:
        return pulumi.runtime.call("parts:index:Pair/greet", {"whom": whom}, self)


base = Thing("base", value=settings.require("value"))
secret = pulumi.Output.secret(base.value) if settings.get_bool("secret") else base.value
pair = Pair("pair", secret, pulumi.ResourceOptions(protect=settings.get_bool("protect")))
Thing("after", value=pair.both)
pulumi.export("both", pair.both)
pulumi.export("said", pair.greet(base.value).apply(lambda answer: answer["said"]))
