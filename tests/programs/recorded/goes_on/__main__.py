"""`--continue-on-error`: in updates, replacements and destroys; then without it."""

from kit import Thing, step

bad = {"fail": "delete"} if step in (0, 2) else {}
a = Thing("a", value="a")
b = Thing("b", value=a.token, **bad)
Thing("c", value=b.token)
Thing("d", value="d", r_kind="0")
if step == 1:
    e = Thing("e", fail="create")
    Thing("f", value=e.token)
    Thing("h", value="h")
if step == 2:
    Thing("u", value="2", fail="update" if step == 4 else "")
