"""Resources of the package `world`, for the programs beside this file."""

import pulumi


class Thing(pulumi.CustomResource):
    value: pulumi.Output[str]
    generation: pulumi.Output[int]

    def __init__(self, name, opts=None, **inputs):
        super().__init__("world:index:Thing", name, {"value": None, "generation": None, **inputs}, opts)


class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("world:index:Group", name, None, opts)
