"""COUNT dynamic resources (300 unless told otherwise), every tenth depending on the one before it.

With SHAPE=deep each depends on the one before it, in chains of a hundred; with CHANGED a tenth have other values.
"""

import os

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider


class Counted(ResourceProvider):
    """Does nothing but answer, so that what is measured is the engine."""

    def diff(self, _id: str, _olds: dict, _news: dict) -> DiffResult:
        return DiffResult(changes=_olds.get("value") != _news.get("value"))

    def create(self, props: dict) -> CreateResult:
        return CreateResult(f"id-{props['number']}", {**props, "made": True})


class Item(Resource):
    made: pulumi.Output[bool]

    def __init__(self, name: str, number: int, value: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None):
        super().__init__(Counted(), name, {"number": number, "value": value, "made": None}, opts)


DEEP, CHANGED = os.environ.get("SHAPE") == "deep", "CHANGED" in os.environ
previous = None
for number in range(int(os.environ.get("COUNT", "300"))):
    linked = number % 100 > 0 if DEEP else number % 10 == 0
    value = previous.id if previous is not None and linked else f"value-{number}"
    if CHANGED and number % 10 == 5:
        value = f"other-{number}"
    previous = Item(f"item-{number}", number, value)
