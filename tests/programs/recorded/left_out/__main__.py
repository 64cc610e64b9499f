"""What `--exclude` and `--target` reach through what is only read, and through what waits for its deletion."""

from kit import Group, Options, Thing, step

r = Thing("r", Options(id="id-r-0"))
n = Thing("n", value="n")
x = Thing("x", Options(depends_on=[n]), size=step + 1)
if step:
    g = Group("g", Options(depends_on=[r]))
    new = Thing("new", Options(depends_on=[r]))
    later = Thing("later", Options(depends_on=[new]))
if step != 2:
    c = Group("c")
    d = Group("d", Options(parent=c))
    deep = Thing("deep", Options(parent=d))
    p = Thing("p", Options(depends_on=[deep], protect=True))
