"""`ignore_changes` at nested paths and wildcards, with secrets and unknowns, with added and removed elements."""

import pulumi
from kit import Options, Thing, step

text = str(step)
src = Thing("src", value=text)
Thing(
    "dict",
    value={"keep": text, "other": {"deep": text, "x": "x"}},
    opts=Options(ignore_changes=["value.keep", "value.other.deep"]),
)
Thing("list", value=[{"n": text, "m": "m"}, {"n": text, "m": text}], opts=Options(ignore_changes=["value[*].n"]))
Thing("index", value=[text, text], opts=Options(ignore_changes=["value[0]"]))
Thing("all", value={"a": text, "b": text}, size=5 + step, opts=Options(ignore_changes=["value[*]", "size"]))
Thing("star", value=text, size=step, opts=Options(ignore_changes=["*"]))
Thing("secret", value=pulumi.Output.secret({"p": text, "q": "q"}), opts=Options(ignore_changes=["value.p"]))
Thing("turned", value=pulumi.Output.secret(text) if step else text, opts=Options(ignore_changes=["value"]))
Thing("unknown", value=src.generation.apply(lambda n: f"g{n}"), opts=Options(ignore_changes=["value"]))
Thing("added", value={"a": 1, **({"b": text} if step else {})}, opts=Options(ignore_changes=["value.b"]))
Thing("removed", value={"a": 1, **({} if step else {"b": text})}, opts=Options(ignore_changes=["value.b"]))
Thing("quoted", value={"a.b": text, "c": 1}, opts=Options(ignore_changes=['value["a.b"]']))
if step == 2:
    Thing("odd", value=["x"], opts=Options(ignore_changes=["value[7]", "value.nope"]))
if step == 3:
    Thing("odd", value=["x", "y"], opts=Options(ignore_changes=["value[1]", "value.nope"]))
