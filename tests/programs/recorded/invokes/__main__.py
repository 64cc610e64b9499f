"""Functions: with secrets, results that are secret, refusals, and those that depend on resources."""

import pulumi
from kit import Thing, step

if step == 2:
    pulumi.runtime.invoke("nowhere:index:get", {})
a = Thing("a", value="a")
if step == 1:
    pulumi.runtime.invoke("acme:index:refuse", {"value": 1})
found = pulumi.runtime.invoke_output("acme:index:double", {"value": 4, "password": pulumi.Output.secret("p")})
Thing("b", value=found.apply(lambda got: got["doubled"]))
late = pulumi.runtime.invoke_output(
    "acme:index:double", {"value": 5, "of": a.token}, pulumi.InvokeOutputOptions(depends_on=[a])
)
pulumi.export("late", late.apply(lambda got: got["of"]))
pulumi.export("doubled", found.apply(lambda got: got["doubled"]))
