"""`--expect-no-changes` in each command; `--parallel 1`."""

import pulumi
from kit import Thing, step

a = Thing("a", value=str(step))
b = Thing("b", value=a.token)
Thing("c", value=b.token)
Thing("d", value="d")
pulumi.export("out", step)
