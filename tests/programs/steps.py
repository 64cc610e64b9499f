"""A program that changes with the configuration value `step`."""

import pulumi
from thing import Group, Thing  # type: ignore[import-not-found]  # beside this file when it runs

step = pulumi.Config("world").require("step")

if step == "raises":
    Thing("made", value="1")
    raise ValueError("half-way")
if step == "kept":
    Thing("made", value="1")
if step == "exits":
    raise SystemExit(3)
if step == "unknown package":
    pulumi.CustomResource("nowhere:index:Thing", "lost", {})
if step == "refused":
    Thing("bad", value="refused")
if step.startswith("chain"):
    a = Thing("a", value="1" if step == "chain" else "2")
    b = Thing("b", value=a.generation.apply(lambda generation: f"after {generation}"))
    pulumi.export("b", b.value)
if step == "secret":
    password = pulumi.Config("world").require_secret("password")
    a = Thing("a", value=password)
    Thing("b", value=pulumi.Output.format("{0}!", a.value))
    pulumi.export("a", a.value)
if step == "secret id":
    Thing("a", value="1", opts=pulumi.ResourceOptions(additional_secret_outputs=["id"]))
if step == "options":
    base = Thing("base", value="1")
    Thing("kept", value="1", opts=pulumi.ResourceOptions(retain_on_delete=True))
    Thing("with", value="1", opts=pulumi.ResourceOptions(deleted_with=base))
if step == "explicit":
    provider = pulumi.ProviderResource("world", "mine", {"region": "here"})
    group = Group("group", pulumi.ResourceOptions(providers=[provider]))
    Thing("inside", value="1", opts=pulumi.ResourceOptions(parent=group))
if step == "reads":
    made = Thing("made", value="1")
    found = Thing("found", opts=pulumi.ResourceOptions(id="outside-1"))
    doubled = pulumi.runtime.invoke("world:index:double", {"value": 21}).value
    pulumi.export("found", found.value)
    pulumi.export("doubled", doubled["result"])
if step == "looks":
    stack = {"stackName": "organization/world/dev"}
    told = pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", stack).value
    pulumi.export("there", {urn: found["outputs"].get("value") for urn, found in told["outputs"].items()})
if step == "imports":
    Thing("adopted", value="there", opts=pulumi.ResourceOptions(import_="outside-1"))
if step.startswith("hooks"):
    import os

    def hook(args: pulumi.ResourceHookArgs) -> None:
        with open(os.environ["HOOKED"], "a") as file:
            file.write(f"{args.name}\n")

    after = pulumi.ResourceHook("after", hook)
    Thing("a", value=step, opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(after_create=[after])))
if step in ("retries", "gives up"):
    import os

    def again(args: pulumi.ErrorHookArgs) -> bool:
        with open(os.environ["HOOKED"], "a") as file:
            file.write(f"{args.failed_operation}: {args.errors[0]}\n")
        return step == "retries"

    hooks = pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook("again", again)])
    Thing("a" if step == "retries" else "b", value="1", fail="create", opts=pulumi.ResourceOptions(hooks=hooks))
if step == "two fail":
    bad = Thing("bad", value="1", fail="create")
    Thing("after", value=bad.value)
    Thing("other", value="1")
if step == "speaks":
    print("to the output")
    pulumi.log.warn("take care")
