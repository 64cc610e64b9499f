"""`refresh --run-program`: drift, what is gone, new, removed or configured otherwise, and a program that raises."""

from kit import Acme, Group, Options, Thing, step

if step == 4:
    raise RuntimeError("the program is wrong")
if step == 3:
    Thing("e", value=1)
else:
    changed = int(step == 1)
    a = Thing("a", r_kind=0)
    b = Thing("b", value=a.token, size=changed)
    group = Group("g")
    Thing("c", value=changed, opts=Options(parent=group, depends_on=[a]))
    Thing("d", value=b.token, size=changed, opts=Options(parent=group))
    Thing("e", value=changed)
    own = Acme("p", region="r9" if step == 5 else "r1", zone="y" if changed else "z")
    Thing("f", value=changed, opts=Options(provider=own))
if step == 2:
    n = Thing("n", value=1)
    Thing("m", value=n.token)
    Thing("o", opts=Options(provider=Acme("q", region="r")))
    i = Thing("i", opts=Options(parent=Group("h")))
    Thing("j", opts=Options(depends_on=[i]))
