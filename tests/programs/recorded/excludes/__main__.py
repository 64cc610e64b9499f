"""`--exclude` with replacements, dependents, deletions and components."""

from kit import Group, Options, Thing, step

a = Thing("a", r_kind=str(min(step, 1)))
b = Thing("b", value=a.token, size=step) if step < 2 else None
group = Group("g")
Thing("c", value=str(step), opts=Options(parent=group, depends_on=[a]))
if step < 2:
    Thing("end", value=b.token)
