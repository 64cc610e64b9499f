"""The kit of the conformance scenarios with a provider that may die at every call, and a world that outlives it.

What exists is in `objects.json`, by an id that is never used twice. With STEERED_PLUGIN set, things are not dynamic but
resources of the plugin in `plugin.py`.
"""

import json
import os
from typing import Any

import pulumi
import steered  # type: ignore[import-not-found]
from fate import FOLDER, alone, moment  # type: ignore[import-not-found]
from pulumi.dynamic import CreateResult, ReadResult, Resource
from steered import Group

__all__ = ["Group", "Thing"]
OBJECTS = FOLDER / "objects.json"


def change(id_: str, properties: dict[str, Any] | None) -> None:
    """Makes, changes or removes an object."""
    with alone():
        objects = json.loads(OBJECTS.read_text())
        objects.pop(id_, None)
        if properties is not None:
            objects[id_] = {key: properties[key] for key in ("label", "generation")}
        new = OBJECTS.with_suffix(".new")
        new.write_text(json.dumps(objects))
        new.replace(OBJECTS)


class Steered(steered.Steered):  # type: ignore[misc]
    def check(self, olds: Any, news: Any) -> Any:
        moment("provider", "check")
        return super().check(olds, news)

    def diff(self, id_: str, olds: Any, news: Any) -> Any:
        moment("provider", "diff")
        return super().diff(id_, olds, news)

    def create(self, props: Any) -> Any:
        moment("provider", "create, before the deed")
        made = super().create(props)
        with alone(), (FOLDER / "made").open("a+") as made_so_far:
            made_so_far.write("one\n")
            made_so_far.seek(0)
            id_ = f"{made.id}-{len(made_so_far.readlines())}"
        change(id_, made.outs)
        moment("provider", "create, after the deed")
        return CreateResult(id_, made.outs)

    def update(self, id_: str, olds: Any, news: Any) -> Any:
        moment("provider", "update, before the deed")
        result = super().update(id_, olds, news)
        change(id_, result.outs)
        moment("provider", "update, after the deed")
        return result

    def delete(self, id_: str, props: Any) -> None:
        moment("provider", "delete, before the deed")
        super().delete(id_, props)
        change(id_, None)
        moment("provider", "delete, after the deed")

    def read(self, id_: str, props: Any) -> Any:
        moment("provider", "read")
        if id_ not in json.loads(OBJECTS.read_text()):
            return ReadResult("", {})
        return super().read(id_, props)


_NOTHING = {"value": None, "size": None, "generation": None, "token": None}

if os.environ.get("STEERED_PLUGIN"):

    class Thing(pulumi.CustomResource):
        value: pulumi.Output[str]
        size: pulumi.Output[int]
        generation: pulumi.Output[int]
        token: pulumi.Output[str]

        def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
            super().__init__("steered:index:Thing", name, {"label": name, **_NOTHING, **inputs}, opts)

else:

    class Thing(Resource):  # type: ignore[no-redef]
        value: pulumi.Output[str]
        size: pulumi.Output[int]
        generation: pulumi.Output[int]
        token: pulumi.Output[str]

        def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
            super().__init__(Steered(), name, {"label": name, **_NOTHING, **inputs}, opts)
