"""Replacement triggers: none, plain, changed, of outputs, of a component."""

from kit import Options, Thing, step

a = Thing("a", value=str(step))
Thing("plain", opts=Options(replacement_trigger=step))
Thing("made", opts=Options(replacement_trigger=a.generation))
Thing("new", opts=Options(replacement_trigger={"x": [step]} if step else None))
