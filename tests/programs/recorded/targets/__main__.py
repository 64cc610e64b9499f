"""`--target` with replacements, dependents, deletions, components and what is new."""

from kit import Group, Options, Thing, step

a = Thing("a", r_kind=str(min(step, 1)))
b = Thing("b", r_value=a.token, value=str(step)) if step < 2 else None
group = Group("g")
c = Thing("c", value=str(step), opts=Options(parent=group, depends_on=[a]))
if step == 1:
    Thing("new", value=c.token)
if step < 2:
    Thing("end", value=b.token)
if step == 3:
    Thing("n", value="n")
