"""Custom resources as parents: replaced, deleted first, renamed, and gone while their children stay elsewhere."""

from kit import Group, Options, Thing, step
from pulumi import Alias

a = Thing(
    "a" if step < 2 else "a2",
    label="a",
    r_k=str(min(step, 1)),
    opts=Options(aliases=[Alias(name="a")], protect=step == 0),
)
b = Thing("b", opts=Options(parent=a))
c = Thing("c", value=b.id, opts=Options(parent=b))
d = Thing("d", opts=Options(parent=a, protect=False))
e = Thing("e", r_k=str(step), dbr=True)
f = Thing("f", opts=Options(parent=e))
g = Group("g", Options(parent=f))
h = Thing("h", r_f=f.id, opts=Options(parent=g))
if step < 2:
    x = Thing("x")
    y = Thing("y", opts=Options(parent=x))
    z = Group("z", Options(parent=y))
    w = Thing("w", opts=Options(parent=z))
else:
    y = Thing("y", opts=Options(parent=e, aliases=["urn:pulumi:dev::recorded::acme:index:Thing$acme:index:Thing::y"]))
    z = Group("z", Options(parent=y))
    w = Thing("w", opts=Options(parent=z))
