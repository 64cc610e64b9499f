"""What an operation on a stack is given, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dataops.infra.engine.plan import Plan
from dataops.infra.resources.values import Properties, Secret

Config = Mapping[str, str | Secret]
"""A stack's configuration: `<project>:<key>` to its value, objects as JSON; secret values as `Secret(text)`."""


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """How an operation goes about it.

    Args:
        parallel: how many resource operations run at once.
        refresh: read what exists before anything else.
        message: for the history.
        expect_no_changes: `ExpectationError` when there were any.
        continue_on_error: a failed resource stops only what depends on it.
        targets: URNs or patterns of those that may change; none given: all.
        target_dependents: what depends on a target is one, too; without, deleting a target that something depends
            on is refused.
        excludes: URNs or patterns of those that may not change.
        exclude_dependents: what depends on an excluded one is excluded, too.
        exclude_protected: a destroy leaves what is protected, and what that needs.
        ignore_protect: protected resources may be deleted and replaced.
        replaces: URNs or patterns of those that are replaced, whether they have changed or not.
        plan: what an update may do: the plan of an earlier preview; None for anything.
        make_plan: whether the result of a preview is to hold its plan.
        remade: URNs or patterns of those that are deleted and made anew although nothing about them differs.
        redone: URNs or patterns of those that are updated although nothing about them differs.
        clear_pending_creates: forget creations of unknown outcome that earlier operations left.
        import_pending_creates: the ids of those that did take effect, by URN: they become recorded resources.
        adopted: beginnings of resource types whose providers adopt what an interrupted operation of theirs left, so
            that nobody needs to look: unknown outcomes of these are forgotten.
        run_program: a refresh runs the program and reads with the providers as it configures them; so does an update
            with `refresh`; a destroy runs it for its hooks and providers.
        environment: extra variables for the program and its dynamic providers.
        metadata: for the history, such as `git.head`.
    """

    parallel: int = 16
    refresh: bool = False
    message: str = ""
    expect_no_changes: bool = False
    continue_on_error: bool = False
    targets: tuple[str, ...] = ()
    target_dependents: bool = False
    excludes: tuple[str, ...] = ()
    exclude_dependents: bool = False
    exclude_protected: bool = False
    ignore_protect: bool = False
    replaces: tuple[str, ...] = ()
    plan: Plan | None = field(default=None, repr=False)
    make_plan: bool = False
    remade: tuple[str, ...] = ()
    redone: tuple[str, ...] = ()
    run_program: bool = False
    clear_pending_creates: bool = False
    import_pending_creates: Mapping[str, str] = field(default_factory=dict)
    adopted: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """How an operation went.

    Args:
        kind: `update`, `refresh` or `destroy`.
        changes: steps by kind.
        outputs: the stack's outputs; secret ones are `Secret`.
        failed: some step failed; the events say which and why.
        version: of the update in the history; None for a preview.
        plan: of a preview that was asked for one.
    """

    kind: str
    changes: dict[str, int]
    outputs: Properties = field(repr=False)
    failed: bool
    seconds: float
    version: int | None = None
    plan: Plan | None = field(default=None, repr=False)
