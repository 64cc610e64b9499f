"""Aliases by name, type, parent, project, stack, whole URN and no parent; moves between parents with children."""

import pulumi
from kit import Group, Options, Other, Thing, step

Alias = pulumi.Alias
if step == 0:
    one = Group("one")
    two = Group("two", Options(parent=one))
    a = Thing("a", value="a", opts=Options(parent=two))
    Thing("two-b", value=a.token, opts=Options(parent=two))
    Thing("top", value="t")
    Thing("kind", value="k")
    Thing("whole", value="w")
else:
    one = Group("one")
    new = Group("three", Options(aliases=[Alias(name="two", parent=one)] if step < 3 else []))
    options = [Alias(parent=pulumi.ROOT_STACK_RESOURCE)] if step == 9 else None
    a = Thing("a", value="a", opts=Options(parent=new, aliases=options))
    Thing("three-b", value=a.token, opts=Options(parent=new))
    Thing("top", value="t", opts=Options(parent=one, aliases=[Alias(parent=None)]) if step < 4 else Options(parent=one))
    Other("kind", value="k", opts=Options(aliases=[Alias(type_="acme:index:Thing")]))
    urn = "urn:pulumi:dev::recorded::acme:index:Thing::whole"
    Thing("part", value="w", opts=Options(aliases=[urn], ignore_changes=["label"]))
if step == 2:
    Thing("foreign", opts=Options(aliases=[Alias(stack="elsewhere"), Alias(project="another"), Alias(name="never")]))
