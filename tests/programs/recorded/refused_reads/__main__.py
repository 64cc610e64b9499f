"""What could not be read is gone on without; a check that is refused stops everything."""

from kit import Options, Thing, step

a = Thing("a")
r = Thing("r", Options(id="id-r-0"))
b = Thing("b", size=step + 1, value=r.token)
c = Thing("c", Options(depends_on=[r]), size=step + 1)
e = Thing("e", Options(depends_on=[c]), size=step + 1, fail="check" if step == 2 else "no")
