"""`replace_on_changes` with wildcards and nested paths, with and without a detailed difference."""

from kit import Options, Thing, step

text = str(step)
for detailed in (True, False):
    mark = "d" if detailed else "n"
    extra = {"detailed": True} if detailed else {}
    Thing(f"all-{mark}", value=text, opts=Options(replace_on_changes=["*"]), **extra)
    Thing(f"deep-{mark}", value={"a": {"b": text}, "c": "c"}, opts=Options(replace_on_changes=["value.a.b"]), **extra)
    Thing(f"other-{mark}", value={"a": text, "c": "c"}, opts=Options(replace_on_changes=["value.c"]), **extra)
    Thing(f"list-{mark}", value=[{"n": text}], opts=Options(replace_on_changes=["value[*].n"]), **extra)
    Thing(f"none-{mark}", value=text, opts=Options(replace_on_changes=["size"]), **extra)
Thing("cold", value="c", opts=Options(replace_on_changes=["#initerror"]), **({"partial": True} if step == 2 else {}))
