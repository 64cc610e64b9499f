"""Explicit providers: through components, changed in place, replaced, given up for the default one, removed."""

import pulumi
from kit import Acme, Group, Options, Thing, step

region = "far" if step >= 2 else "near"
mine = Acme("mine", region=region, zone=str(min(step, 1)))
other = Acme("other", region="other") if step < 4 else None
group = Group("g", Options(providers=[mine]))
inner = Group("h", Options(parent=group))
a = Thing("a", value="a", opts=Options(parent=inner))
Thing("b", value=a.token, opts=Options(parent=a))
Thing("c", value="c", opts=Options(provider=mine if step < 3 else None))
Thing("d", value="d", opts=Options(parent=group, provider=other) if other else Options(parent=group))
pulumi.export(
    "found", pulumi.runtime.invoke("acme:index:double", {"value": 2}, Options(parent=a) and None).value["doubled"]
)
