"""Aliases that two resources claim, and that a living resource still has."""

import pulumi
from kit import Options, Thing, step

alias = [pulumi.Alias(name="a")]
if step in (0, 2):
    Thing("a", value="a")
if step == 1:
    first = Thing("b", value="a", opts=Options(aliases=alias, ignore_changes=["label"]))
    Thing("c", value="a", opts=Options(aliases=alias, depends_on=[first]))
if step == 2:
    Thing("d", value="a", opts=Options(aliases=alias))
if step == 3:
    Thing("d", value="a", opts=Options(aliases=[*alias, pulumi.Alias(name="never")], ignore_changes=["label"]))
