"""Protection in replacements, in cascades, with `--target`, through a component, and given up with a change."""

from kit import Group, Options, Thing, step

a = Thing("a", r_kind="0" if step not in (2,) else "1", dbr=True)
b = Thing("b", r_value=a.token, opts=Options(protect=step not in (4,)))
group = Group("g", Options(protect=step != 4))
if step != 3:
    Thing("c", r_kind="0" if step != 1 else "1", opts=Options(parent=group))
Thing("d", value="d", opts=Options(parent=group, protect=False))
