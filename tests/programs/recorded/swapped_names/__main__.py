"""Names that are swapped by aliases, chains of aliases over several updates, an alias whose resource comes back."""

import pulumi
from kit import Group, Options, Thing, step
from pulumi import Alias

if step == 0:
    Thing("a", value="1")
    Thing("b", value="2")
    g = Group("g")
    h = Group("h")
    Thing("x", opts=Options(parent=g))
    Thing("x2", opts=Options(parent=h))
    Thing("keep", value="k")
    Thing("k1", label="k1")
elif step == 1:
    Thing("b2", label="a", value="1", opts=Options(aliases=[Alias(name="a")]))
    Thing("a2", label="b", value="2", opts=Options(aliases=[Alias(name="b")]))
    g = Group("h2", Options(aliases=[Alias(name="g")]))
    h = Group("g2", Options(aliases=[Alias(name="h")]))
    Thing("x", opts=Options(parent=g))
    Thing("x2", opts=Options(parent=h))
    Thing("keep", value="k", opts=Options(parent=g, aliases=[Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))
    Thing("k2", label="k1", opts=Options(aliases=[Alias(name="k1")]))
elif step == 2:
    Thing("a", label="a", value="1", opts=Options(aliases=[Alias(name="b2")]))
    Thing("b", label="b", value="2", opts=Options(aliases=[Alias(name="a2"), Alias(name="b")]))
    g = Group("g", Options(aliases=[Alias(name="h2"), Alias(name="nope")]))
    h = Group("h", Options(parent=g, aliases=[Alias(name="g2", parent=pulumi.ROOT_STACK_RESOURCE)]))
    Thing("x", opts=Options(parent=h, aliases=[Alias(parent=g)]))
    Thing("x2", opts=Options(parent=g, aliases=[Alias(parent=h)]))
    Thing("keep", value="k2", opts=Options(aliases=[Alias(parent=g)]))
    Thing("k3", label="k1", opts=Options(aliases=[Alias(name="k2"), Alias(name="k1")]))
else:
    Thing("a", label="a", value="9", opts=Options(aliases=[Alias(name="b2")]))
    Thing("b2", label="c", value="1", r_n="n")
    Thing("k3", label="k1", r_k="1", opts=Options(aliases=[Alias(name="k2"), Alias(name="k1")]))
