"""A dynamic provider whose process dies, or that raises or waits, when it creates its resource."""

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Dying(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        import os
        import sys
        import time

        if props["how"] == "waits":
            open(props["started"], "w").close()
            time.sleep(props["seconds"])
            return CreateResult("late", props)
        if props["how"] == "raises":
            raise ValueError("no room")
        print("out of memory, say", file=sys.stderr, flush=True)
        os._exit(3)


class Thing(Resource):
    def __init__(self, name: str, **props: Any) -> None:
        super().__init__(Dying(), name, props)


config = pulumi.Config("world")
Thing("it", how=config.require("how"), started=config.get("started") or "", seconds=1.5)
