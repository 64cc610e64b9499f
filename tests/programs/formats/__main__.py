"""Components, outputs, a secret: what the documents of commands are compared on."""

import pulumi


class Group(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:index:Group", name, None, opts)
        self.register_outputs({"first": 1})


config = pulumi.Config()
outer = Group("outer")
Group("inner", pulumi.ResourceOptions(parent=outer))
pulumi.export("size", config.require_int("size"))
pulumi.export("token", config.require_secret("token"))
