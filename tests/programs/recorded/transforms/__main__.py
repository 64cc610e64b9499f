"""Transforms of resources and of invokes: order, options, secrets."""

import pulumi
from kit import Acme, Group, Options, Thing, note, step


def adding(word, **options):
    def transform(args):
        if args.type_ != "acme:index:Thing":
            return None
        args.props["trail"] = args.props.get("trail", "") + word
        for key, value in options.items():
            setattr(args.opts, key, value)
        return pulumi.ResourceTransformResult(args.props, args.opts)

    return transform


def told(word, change):
    def transform(args):
        note("transform " + word, args.token, args=sorted(args.args))
        return pulumi.InvokeTransformResult(change(dict(args.args)), args.opts)

    return transform


pulumi.runtime.register_resource_transform(adding("s1 "))
pulumi.runtime.register_resource_transform(adding("s2 ", protect=step == 0))
pulumi.runtime.register_invoke_transform(told("one", lambda args: {**args, "value": args["value"] + 1}))
pulumi.runtime.register_invoke_transform(told("two", lambda args: {**args, "value": args["value"] * 10}))
outer = Group("outer", Options(transforms=[adding("outer ")]))
inner = Group("inner", Options(parent=outer, transforms=[adding("inner1 "), adding("inner2 ")]))
a = Thing("a", opts=Options(parent=inner, transforms=[adding("own ")]), value=pulumi.Output.secret("s"))
Thing("b", opts=Options(parent=a, transforms=[adding("own ", ignore_changes=["value"])]), value=str(step))
provider = Acme("explicit", region="there")
found = pulumi.runtime.invoke("acme:index:double", {"value": 1}, pulumi.InvokeOptions(provider=provider)).value
pulumi.export("found", found["doubled"])
pulumi.export("whole", pulumi.runtime.invoke_async and pulumi.Output.from_input(found))
