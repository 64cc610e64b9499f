"""Custom timeouts reach the provider."""

import pulumi
from kit import Group, Options, Thing, step

times = pulumi.CustomTimeouts(create="1m30s", update="2h", delete="500ms")
group = Group("g", Options(custom_timeouts=times))
Thing("a", value=str(step), opts=Options(custom_timeouts=times))
Thing("b", value=str(step), opts=Options(parent=group, custom_timeouts=pulumi.CustomTimeouts(update="45s")))
if step == 1:
    Thing("c", opts=Options(custom_timeouts=times))
