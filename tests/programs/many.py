"""More dynamic resources than the interpreter recurses."""

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Counted(ResourceProvider):
    def create(self, props: dict[str, object]) -> CreateResult:
        return CreateResult(f"id-{props['number']}", props)


for number in range(int(pulumi.Config("world").require("count"))):
    Resource(Counted(), f"item-{number}", {"number": number})
