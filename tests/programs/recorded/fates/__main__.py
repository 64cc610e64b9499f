"""`retain_on_delete` and `protect` in replacements, cascades and below parents, given up with the resource itself."""

from kit import Group, Options, Thing, step

k = str(step)
a = Thing("a", r_k=k, dbr=True, opts=Options(retain_on_delete=True))
b = Thing("b", r_a=a.id)
c = Thing("c", r_b=b.id, opts=Options(retain_on_delete=step < 2))
d = Thing("d", value=c.id, opts=Options(protect=True if step < 3 else None))
g = Group("g", Options(retain_on_delete=True, protect=step == 0))
e = Thing("e", r_k=k, opts=Options(parent=g))
f = Thing("f", opts=Options(parent=g, retain_on_delete=False, protect=False))
if step < 2:
    h = Thing("h", opts=Options(parent=e))
    i = Thing("i", opts=Options(retain_on_delete=True, deleted_with=b))
    j = Thing("j", value=i.id, opts=Options(deleted_with=i))
if step != 2:
    last = Thing(
        "l", r_k="0" if step < 3 else "1", opts=Options(retain_on_delete=step == 0, delete_before_replace=True)
    )
