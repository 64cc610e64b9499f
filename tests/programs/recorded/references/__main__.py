"""Outputs of another stack, plain and secret; a name that is missing; deferred outputs."""

import pulumi
from kit import Thing, step

if step == 5:
    a = Thing("a", value="x")
    pulumi.export("plain", a.token)
    pulumi.export("number", 3)
    pulumi.export("hidden", pulumi.Output.secret("pst"))
    pulumi.export("nested", {"list": [1, {"deep": pulumi.Output.secret("pst2")}]})
else:
    other = pulumi.StackReference("organization/recorded/other")
    pulumi.export("plain", other.require_output("plain"))
    pulumi.export("hidden", other.get_output("hidden"))
    pulumi.export("absent", other.get_output("absent"))
    pulumi.export("nested", other.outputs["nested"])
    Thing("b", value=other.get_output("number").apply(lambda n: f"{n:g} and {step}"), size=other.get_output("hidden"))
    later, resolve = pulumi.deferred_output()
    Thing("c", value=later)
    d = Thing("d", value="d")
    resolve(d.token)
