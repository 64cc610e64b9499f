"""More dynamic resources than the interpreter recurses."""

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Counted(ResourceProvider):
    def create(self, props: dict[str, object]) -> CreateResult:
        return CreateResult(f"id-{props['number']}", props)


class Item(Resource):
    def __init__(self, number: int) -> None:
        super().__init__(Counted(), f"item-{number}", {"number": number})


for number in range(int(pulumi.Config("world").require("count"))):
    Item(number)
