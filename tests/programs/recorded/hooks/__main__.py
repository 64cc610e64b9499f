"""Hooks before and after each operation, of components too; hooks that fail."""

import pulumi
from kit import Group, Options, Thing, note, step


def hook(name, fails=False, **options):
    def run(args):
        note(
            name,
            args.name,
            id=args.id,
            new=sorted(args.new_inputs or {}),
            old=sorted(args.old_inputs or {}),
            made=sorted(args.new_outputs or {}),
            was=sorted(args.old_outputs or {}),
        )
        if fails:
            raise ValueError(f"{name} has failed")

    return pulumi.ResourceHook(name, run, pulumi.ResourceHookOptions(**options) if options else None)


binding = pulumi.ResourceHookBinding(
    before_create=[hook("before_create"), hook("on_preview", on_dry_run=True)],
    after_create=[hook("after_create")],
    before_update=[hook("before_update")],
    after_update=[hook("after_update", fails=step == 3)],
    before_delete=[hook("before_delete")],
    after_delete=[hook("after_delete")],
)
broken = pulumi.ResourceHookBinding(
    before_create=[hook("refuses", fails=True, on_dry_run=True)], after_create=[hook("too late", fails=True)]
)
group = Group("g", Options(hooks=binding))
a = Thing("a", value=str(step), r_kind="0" if step < 2 else "1", opts=Options(hooks=binding))
b = Thing("b", value=a.token, opts=Options(parent=group, hooks=binding))
if step == 0:
    Thing("gone", opts=Options(hooks=binding))
if step == 4:
    Thing("refused", opts=Options(hooks=broken, depends_on=[a, b]))
if step == 5:
    Thing("late", opts=Options(depends_on=[a, b], hooks=pulumi.ResourceHookBinding(after_create=broken.before_create)))
