"""Failures between the halves of replacements: the rest follows in the next update."""

from kit import Options, Thing, step

late = {"fail": "create"} if step == 1 else {}
a = Thing("a", r_kind=str(min(step, 1)), dbr=True, **late)
b = Thing("b", r_value=a.token)
c = Thing("c", r_kind="0" if step < 2 else "2", fail="delete" if step in (0, 1) else "")
d = Thing("d", r_value=c.token, value="d")
Thing("e", r_kind="3" if step >= 3 else "0", partial=step == 3, opts=Options(depends_on=[d]))
