"""Two resources with one URN."""

from kit import Options, Thing, step

a = Thing("a", value="1")
if step == 0:
    Thing("a", value="2", opts=Options(depends_on=[a]))
