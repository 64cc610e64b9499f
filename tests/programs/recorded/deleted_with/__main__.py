"""Chains of `deleted_with`: deletes left out, replacements passed on, inherited through a component."""

from kit import Group, Options, Thing, step

a = Thing("a", r_kind=str(min(step, 1)))
if step < 2:
    b = Thing("b", opts=Options(deleted_with=a))
    Thing("c", opts=Options(deleted_with=b))
group = Group("g", Options(deleted_with=a))
Thing("inside", opts=Options(parent=group))
if step < 3:
    d = Thing("d")
    Thing("e", value=d.token, opts=Options(deleted_with=d))
