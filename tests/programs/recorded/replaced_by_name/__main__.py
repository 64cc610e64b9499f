"""`--replace` and `--target-replace`, of resources and of components."""

from kit import Group, Options, Thing

a = Thing("a", value="a")
b = Thing("b", r_value=a.id, dbr=True)
g = Group("g")
Thing("c", value=b.token, opts=Options(parent=g))
