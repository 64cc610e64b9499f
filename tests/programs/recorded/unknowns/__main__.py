"""Unknown values of a preview: in lists, in maps, in secrets, in ids, in invokes, in what decides on a replacement."""

import pulumi
from kit import Thing, step

a = Thing("a", value=str(step), r_kind=str(step // 2))
b = Thing("b", value=[a.generation, {"deep": a.token}], size=1)
Thing("c", value=pulumi.Output.secret(a.token), r_value=a.id)
Thing("d", value=pulumi.Output.all(a.id, b.token).apply(lambda both: "/".join(both)))
Thing("e", r_value=a.generation, dbr=True)
pulumi.export("token", a.token)
pulumi.export("mixed", {"known": 1, "unknown": a.generation})
pulumi.export(
    "found",
    pulumi.Output.from_input(a.generation).apply(
        lambda n: pulumi.runtime.invoke("acme:index:double", {"value": n}).value["doubled"]
    ),
)
