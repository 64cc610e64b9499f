"""Resources that have gone, with dependents and children; `--refresh` of updates and destroys."""

from kit import Group, Options, Thing

a = Thing("a", value="a")
b = Thing("b", value=a.token)
Thing("c", value=b.token, opts=Options(parent=b, deleted_with=a))
p = Thing("p", value="p")
g = Group("g", Options(parent=p))
Thing("q", value="q", opts=Options(parent=g, protect=False))
Thing("r", value="r", opts=Options(depends_on=[a, p], retain_on_delete=True))
