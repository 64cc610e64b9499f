"""Components that go, come as another type, and leave children to another parent without an alias."""

from kit import Group, Options, Thing, step

g = Group("g", kind="Group" if step == 0 else "Circle")
a = Thing("a", value="a", opts=Options(parent=g))
if step < 2:
    h = Group("h", Options(parent=a if step == 0 else g))
    Thing("b", value=a.token, opts=Options(parent=h))
    h.register_outputs({"deep": {"token": a.token}})
Thing("c", value="c", opts=Options(parent=a, depends_on=[g]))
g.register_outputs({"a": a.token, "step": step})
