"""Delete-before-replace cascades through components, children and parents; retained ones stay."""

from kit import Group, Options, Thing, step

outer = Group("outer")
inner = Group("inner", Options(parent=outer))
a = Thing("a", r_kind=str(step), opts=Options(parent=inner, delete_before_replace=step < 3))
b = Thing("b", r_value=a.token, opts=Options(parent=outer))
c = Thing("c", r_value=b.token, opts=Options(parent=a))
Thing("d", value=c.token, opts=Options(parent=c))
Thing("kept", r_value=a.token, opts=Options(retain_on_delete=True))
side = Thing("side", opts=Options(depends_on=[outer]))
Thing("beside", r_value=a.id, opts=Options(parent=side, retain_on_delete=step == 1))
