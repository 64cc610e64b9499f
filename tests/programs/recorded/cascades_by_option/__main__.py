"""`replace_on_changes` in dependents of what is deleted first: nested paths, ignored ones, what comes and goes."""

from kit import Options, Thing, step

k = str(min(step, 1))
a = Thing("a", r_k=k, dbr=True)
b = Thing("b", value=a.id, opts=Options(replace_on_changes=["value"]))
c = Thing("c", value={"x": b.id, "y": k}, opts=Options(replace_on_changes=["value.x"]))
d = Thing("d", value=[b.id, c.id], opts=Options(replace_on_changes=["value[0]"], ignore_changes=["value[1]"]))
e = Thing("e", value=c.token, opts=Options(replace_on_changes=["*"], ignore_changes=["*"]))
f = Thing("f", **({"extra": k} if step != 1 else {}), opts=Options(replace_on_changes=["extra"]))
g = Thing("g", value=a.id, size=step, opts=Options(replace_on_changes=["nothing"]))
h = Thing(
    "h",
    value={"a": {"b": k, "c": [k, "1"]}},
    opts=Options(replace_on_changes=["value.a.c[0]"], ignore_changes=["value.a.b"], delete_before_replace=True),
)
i = Thing("i", value=h.id, opts=Options(replace_on_changes=["value"], retain_on_delete=True))
