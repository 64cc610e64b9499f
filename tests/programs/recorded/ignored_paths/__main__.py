"""`ignore_changes` and `hide_diffs` at paths of every form: wildcards within, secrets around, what came or went."""

import pulumi
from kit import Options, Thing, step

text = str(step)
secret = pulumi.Output.secret


def thing(name, value, *paths, **options):
    Thing(name, value=value, opts=Options(ignore_changes=list(paths), **options))


thing("each", {"a": {"n": text, "m": text}, "b": {"n": text}}, "value[*].n")
thing("each-new", {"a": {"n": text}, **({"b": {"n": text}} if step else {})}, 'value["*"].n')
thing("longer", [{"n": text}] * (step + 1), "value[*].n")
thing("whole", {"a": text, **({"b": "b"} if step else {"c": "c"})}, "value[*]")
thing("deep-new", {"a": {"b": text}} if step else {}, "value.a.b")
thing("deep-gone", {} if step else {"a": {"b": text}}, "value.a.b")
thing("no-list", {"0": text}, "value[0]", "value[1].a", "value.0")
thing("other-kind", [text] if step else {"a": text}, "value.a", "value[0]")
thing("was-secret", {"p": text, "q": text} if step else secret({"p": text, "q": text}), "value.p")
thing("is-secret", secret({"p": text}) if step else {"p": text}, "value.p")
thing("dots", {"a.b": text, 'q"r': text, "c-d": text}, 'value["a.b"]', 'value["q\\"r"]', "value.c-d")
thing("odd", {"a": text}, ".value", "value.", "value[", "value..a", "value[-1]")
thing("hidden", {"a": text, "b-c": text}, hide_diffs=["value.a", 'value["b-c"]', "value[*].x", 'value["d"][0]'])
thing("replaced", {"a.b": text}, replace_on_changes=['value["a.b"]'])
