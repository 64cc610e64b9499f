"""Resources that are read: below a renamed component, owned and read in turn; what is empty, but there."""

import pulumi
from kit import Group, Options, Thing, step

group = Group("h", Options(aliases=[pulumi.Alias(name="g")])) if step else Group("g")
found = Thing("found", opts=Options(parent=group, id="id-found-0", additional_secret_outputs=["token"]))
owned = Thing("owned", opts=Options(parent=group, id="id-owned-0") if step == 1 else Options(parent=group))
Thing("h-last" if step else "g-last", label="last", opts=Options(parent=group, id="id-last-0"))
Thing("user", value=found.token, size=1, opts=Options(depends_on=[owned]))
if step == 2:
    empty = Thing("empty", opts=Options(id="id-empty-0"))
    pulumi.export("empty", empty.token)
