"""Every option that a transform can change: from the stack and from the resource itself."""

import pulumi
from kit import Acme, Group, Options, Thing, step

base, other = Thing("base"), Thing("other")
provider = Acme("mine", region="there")
changes = {
    "deps": {"depends_on": [base]},
    "dbr": {"delete_before_replace": True},
    "ignored": {"ignore_changes": ["value"]},
    "new": {},
    "kept": {"retain_on_delete": True},
    "replaced": {"replace_on_changes": ["value"]},
    "with": {"deleted_with": base},
    "timed": {"custom_timeouts": pulumi.CustomTimeouts(create="7s")},
    "elsewhere": {"provider": provider},
}


def change(args):
    for key, value in changes.get(args.name.removesuffix("-own"), {}).items():
        setattr(args.opts, key, value)
    if args.name.startswith("new"):
        args.opts.aliases = [pulumi.Alias(name=args.name.replace("new", "old"))]
    if args.name.startswith("deps"):
        args.props["value"] = other.token
        args.props.pop("size", None)
    return pulumi.ResourceTransformResult(args.props, args.opts)


def own(args):
    return change(args) if args.name.endswith("-own") else None


pulumi.runtime.register_resource_transform(lambda args: None if args.name.endswith("-own") else change(args))
for name in changes:
    for suffix in ("", "-own"):
        called = f"old{suffix}" if name == "new" and step == 0 else name + suffix
        Thing(called, label=name + suffix, value=str(step), size=base.size, opts=Options(transforms=[own]))
group = Group("g", Options(transforms=[change], providers=[provider]))
Thing("inner", opts=Options(parent=group), value=base.token)
