"""Resource classes of the package `acme`, for programs whose course is recorded."""

import json
import os
from typing import Any

import pulumi

Options = pulumi.ResourceOptions
step = pulumi.Config().get_int("step") or 0


class Thing(pulumi.CustomResource):
    value: pulumi.Output[Any]
    size: pulumi.Output[Any]
    generation: pulumi.Output[int]
    token: pulumi.Output[str]
    nested: pulumi.Output[Any]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        known = {"value": None, "size": None, "generation": None, "token": None, "nested": None}
        super().__init__("acme:index:Thing", name, {"label": name, **known, **inputs}, opts)


class Other(pulumi.CustomResource):
    """A resource of another type, for changes of type."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__("acme:index:Other", name, {"label": name, **inputs}, opts)


class Group(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, kind: str = "Group") -> None:
        super().__init__(f"acme:index:{kind}", name, None, opts)


class Acme(pulumi.ProviderResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__("acme", name, inputs, opts)


def note(call: str, name: str, **extra: Any) -> None:
    """Writes a line beside the calls of the provider."""
    with open(os.environ["CALLS"], "a") as file:
        file.write(json.dumps({"call": call, "name": name, **extra}, sort_keys=True) + "\n")
