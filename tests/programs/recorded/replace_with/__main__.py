"""`replace_with`: replaced when another resource is, in either order of replacement, and across a component."""

from kit import Group, Options, Thing, step

kind = str(min(step, 1))
a = Thing("a", r_kind=kind)
Thing("b", value="b", opts=Options(replace_with=[a]))
group = Group("g")
Thing("c", value="c", opts=Options(parent=group, replace_with=[a]))
first = Thing("first", r_kind=kind, dbr=True)
second = Thing("second", value="s", opts=Options(replace_with=[first]))
Thing("third", value=second.token)
if step == 3:
    Thing("extra", opts=Options(replace_with=[a]))
