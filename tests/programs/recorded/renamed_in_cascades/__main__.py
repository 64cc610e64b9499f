"""Cascades of delete-before-replace whose resources are renamed, moved with their parent, or gone, at the same time."""

import pulumi
from kit import Group, Options, Thing, step


def named(name):
    """The option of a resource that has a new name from the second step on."""
    return Options(aliases=[pulumi.Alias(name=name)]) if step else Options()


a = Thing("a", r_kind=str(min(step, 1)), dbr=True)
b = Thing("b2" if step else "b", label="b", r_value=a.token, opts=named("b"))
c = Thing("c2" if step else "c", label="c", r_value=b.token, opts=named("c"))
group = Group("h" if step else "g", named("g"))
Thing("d", r_value=a.id, opts=Options(parent=group))
Thing("e2" if step else "e", label="e", value=a.token, opts=named("e"))
if step == 0:
    f = Thing("f", r_value=a.token)
    Thing("g", r_value=f.token)
