"""Plans the steps for each goal: the decisions of Pulumi's step generator.

Planning one goal has two calls to a provider in it, `check` and `diff`. They run outside the lock, so that goals are
planned at the same time; every decision is made under it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from dataops.infra.engine import diffing
from dataops.infra.engine.deployment import Bail, Deployment
from dataops.infra.engine.destroying import plan_as_recorded
from dataops.infra.engine.goal import Goal, ReadGoal
from dataops.infra.engine.names import Names
from dataops.infra.engine.plan_keeping import PlanKeeping
from dataops.infra.engine.provider_resources import ProviderResources
from dataops.infra.engine.refresh import plan_as_found
from dataops.infra.engine.replacement import allow_replacement, deletes_first, plan_replacement
from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.state_builder import new_state, read_state
from dataops.infra.engine.step import Step
from dataops.infra.engine.targets import Scope
from dataops.infra.engine.turns import Turn
from dataops.infra.errors import ResourceError
from dataops.infra.providers.base import Changes, CheckFailure, DiffResult, Provider
from dataops.infra.resources.references import named_by
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import is_provider, name_of
from dataops.infra.resources.values import Properties, has_unknowns


@dataclass(slots=True)
class Draft:
    """A goal on its way to steps."""

    goal: Goal
    urn: str
    old: ResourceState | None
    new: ResourceState
    provider: Provider | None
    recreating: bool
    invalid: bool


class StepGenerator:
    """Plans steps; remembers what it has planned for each URN."""

    def __init__(
        self, deployment: Deployment, providers: ProviderResources, reporter: Reporter, keeping: PlanKeeping
    ) -> None:
        self._deployment = deployment
        self._providers = providers
        self._report = reporter
        self._keeping = keeping
        self.scope = Scope(deployment.options.targets)
        self.names = Names(deployment, reporter)
        self.lock = threading.RLock()
        self.planned: dict[str, str] = {}
        self.deletes: set[str] = set()
        self.replaces: set[str] = set()
        self.replace_keys: dict[str, tuple[str, ...]] = {}
        self.deleted_already: set[int] = set()
        self.skipped_creates: set[str] = set()

    def open(self, goal: Goal) -> Draft:
        """Takes a goal's name and finds what is recorded of it. Raises what `plan` raises."""
        with self.lock:
            return self._open(goal)

    def plan(self, draft: Draft, turn: Turn) -> list[Step]:
        """The steps that a goal needs, in order; the last to make its state is the one to answer with.

        Args:
            turn: waited for where the plans of others matter.

        Raises:
            Bail: it cannot be; the reasons were reported.
            ResourceError: a provider refused.
        """
        goal, kind = draft.goal, self._deployment.options.kind
        if kind == "refresh" and (steps := plan_as_found(self, draft)) is not None:
            return steps
        if kind == "destroy" and (steps := plan_as_recorded(self, draft)):
            return self._allowed(steps)
        if goal.custom and goal.import_id and self._imports(draft):
            return self._allowed(self._plan_import(draft))
        if draft.old is not None and not self._settled(draft.old):
            # What it no longer depends on may have to be deleted first, and it with that.
            turn.wait_for_earlier()
            draft.recreating = draft.urn in self.deletes
        return self._allowed(self._plan_checked(draft, turn))

    def plan_imported(self, goal: Goal, imported: ResourceState, turn: Turn) -> list[Step]:
        """The steps that bring a resource which has just been imported to its goal; none when it is there."""
        with self.lock:
            planned = self.planned[imported.urn]
            # What was imported has no trigger yet: the next update records it.
            new = new_state(goal, imported.urn, imported, None).copy(replacement_trigger=None)
            provider = self._providers.for_resource(goal.custom, goal.type, goal.provider, imported.urn)
        steps = self._plan_checked(Draft(goal, imported.urn, imported, new, provider, False, False), turn)
        with self.lock:
            self.planned[imported.urn] = planned
        return [] if all(step.op == "same" for step in steps) else self._allowed(steps)

    def plan_read(self, goal: ReadGoal) -> list[Step]:
        """The steps that reading an existing resource needs."""
        with self.lock:
            urn = self.names.take(goal.parent, goal.type, goal.name)
            old, clash = self.names.recorded(urn, goal)
            new = read_state(goal, urn, self.names.alias_of.get(urn))
            self.planned[urn] = "read"
            if old is not None and not old.external and old.id != goal.id:
                self.replaces.add(urn)
                return self._allowed([Step("read-replacement", old, new, leaves_old=True), Step("replace", old, new)])
            return self._allowed([Step("read", old, new)])

    def operated_on(self, urn: str) -> bool:
        """Whether the program has asked for a recorded resource, under its URN or another."""
        return self.planned.get(self.names.aliased.get(urn, urn), "delete") != "delete"

    def _open(self, goal: Goal) -> Draft:
        urn = self.names.take(goal.parent, goal.type, goal.name)
        old, invalid = self.names.recorded(urn, goal)
        alias = self.names.alias_of.get(urn)
        new = new_state(goal, urn, old, alias)
        if is_provider(goal.type):
            self._providers.remember(new, alias)
        provider = self._providers.for_resource(goal.custom, goal.type, goal.provider, urn)
        return Draft(goal, urn, old, new, provider, urn in self.deletes, invalid)

    def _allowed(self, steps: list[Step]) -> list[Step]:
        """Steps that may be done: those of the plan, if there is one, and on what exists or is going to."""
        if self._keeping.active:
            with self.lock:
                self._keeping.steps(steps)
        if self.skipped_creates and self._deployment.options.kind == "update":
            with self.lock:
                self._check_needs(steps)
        return steps

    def _check_needs(self, steps: list[Step]) -> None:
        """Refuses steps on what needs a resource that is to be created, but is out of scope."""
        preview = self._deployment.options.preview
        for step in steps:
            if step.new is None or step.skipped:
                continue
            for urn in {step.new.parent, *named_by(step.new)} & self.skipped_creates:
                message = (
                    f"resource '{step.urn}' depends on '{urn}', which is to be created but is left out by "
                    "--target or --exclude"
                )
                if preview and self._deployment.options.targets.excluded:
                    self._report.warning(message, step.urn)
                    continue
                self._report.error(message, step.urn)
                self._deployment.fail(stop=not preview)
                if not preview:
                    raise Bail(step.urn)

    def _imports(self, draft: Draft) -> bool:
        return (old := draft.old) is None or old.external or (old.import_id or old.id) != draft.goal.import_id

    def _plan_import(self, draft: Draft) -> list[Step]:
        with self.lock:
            draft.new.id = draft.goal.import_id
            ignored = draft.goal.ignore_changes
            if draft.old is not None and not draft.recreating:
                self.planned[draft.urn] = "replace"
                self.replaces.add(draft.urn)
                return [
                    Step("import-replacement", draft.old, draft.new, ignore_changes=ignored, leaves_old=True),
                    Step("replace", draft.old, draft.new),
                ]
            self.planned[draft.urn] = "import"
            return [Step("import", None, draft.new, ignore_changes=ignored)]

    def _settled(self, old: ResourceState) -> bool:
        """Whether it is planned what becomes of everything that a recorded resource depends on."""
        with self.lock:
            return all(not urn or self.operated_on(urn) for urn in (old.parent, *named_by(old)))

    def _plan_checked(self, draft: Draft, turn: Turn) -> list[Step]:
        goal, old = draft.goal, draft.old
        with self.lock:
            targeted = self.scope.includes(draft.new)
        replaced = self.scope.replaces(draft.urn, old)
        fresh = draft.recreating or old is None or old.external or replaced
        inputs = goal.properties
        if old is not None:
            inputs, failed = diffing.ignore_changes(inputs, old.inputs, goal.ignore_changes)
            if failed:
                self._report.info(
                    f"cannot ignore changes in added or removed elements of the path: {', '.join(failed)!r}", draft.urn
                )
        old_inputs = None if fresh or old is None else old.inputs
        if draft.provider is not None and (targeted or old is None):
            inputs = self._check(draft, old_inputs, goal.properties if fresh else inputs)
        if draft.invalid:
            raise Bail(draft.urn)
        with self.lock:
            if self._keeping.active:
                kept = inputs if targeted or old is None else old.inputs
                self._keeping.goal(draft.urn, goal, old, old_inputs, kept)
            if draft.recreating:
                return self._recreate(draft)
            if old is not None and old.external:
                self.planned[draft.urn] = "create"
                return [
                    Step("create-replacement", old, draft.new, leaves_old=True),
                    Step("replace", old, draft.new, leaves_old=True),
                ]
            self.scope.spread(draft.new)
            if old is None:
                if targeted:
                    self.planned[draft.urn] = "create"
                    return [Step("create", None, draft.new)]
                self.planned[draft.urn] = "same"
                self.skipped_creates.add(draft.urn)
                return [Step("same", None, draft.new, skipped=True)]
            if not targeted:
                self._refuse_other_provider(old)
                return self._untargeted(old, draft.urn)
        return self._plan_diff(draft, turn, inputs, replaced)

    def _check(self, draft: Draft, old_inputs: Properties | None, inputs: Properties) -> Properties:
        assert draft.provider is not None
        checked = draft.provider.check(draft.urn, old_inputs, inputs)
        draft.new.inputs = checked.inputs
        for failure in checked.failures:
            self._refuse(draft.new, failure)
            draft.invalid = True
        return checked.inputs

    def _refuse(self, new: ResourceState, failure: CheckFailure) -> None:
        what = f"property {failure.property} has a problem" if failure.property else "has a problem"
        self._report.error(f"{new.type} resource '{name_of(new.urn)}': {what}: {failure.reason}", new.urn)

    def _plan_diff(self, draft: Draft, turn: Turn, inputs: Properties, replaced: bool) -> list[Step]:
        old = draft.old
        assert old is not None
        triggered = self._triggered(draft, old)
        with self.lock:
            diff = DiffResult(Changes.SOME) if triggered else self._diff_by_option(draft, old, inputs, replaced)
        if diff is None:
            assert draft.provider is not None
            diff = diffing.diff_resource(
                draft.provider, draft.urn, old.id, old.inputs, old.outputs, inputs, draft.goal.ignore_changes
            )
        diff = diffing.apply_replace_on_changes(diff, draft.goal.replace_on_changes, bool(old.init_errors))
        gone = self._deployment.awaits_replacement(old)
        replace = diffing.replaces(diff) or triggered or gone
        changed = diff.changes is Changes.SOME or gone
        changed = changed or (draft.goal.custom and draft.urn in self._deployment.options.redone)
        if changed and replace:
            allow_replacement(self._deployment, self._report, draft, old, diff)
            if draft.provider is not None and not replaced:
                self._check(draft, None, draft.goal.properties)
                if draft.invalid:
                    raise Bail(draft.urn)
            if deletes_first(draft.goal, diff):
                turn.wait_for_earlier()
        with self.lock:
            if draft.urn in self.deletes:
                return self._recreate(draft)
            if changed and replace:
                self.planned[draft.urn] = "replace"
                self.replaces.add(draft.urn)
                return plan_replacement(self, self._deployment, self._providers, self._report, draft, diff)
            if changed or old.init_errors:
                self.planned[draft.urn] = "update"
                return [
                    Step(
                        "update",
                        old,
                        draft.new,
                        diffs=diff.changed,
                        detailed=diff.detailed,
                        ignore_changes=draft.goal.ignore_changes,
                    )
                ]
            self.planned[draft.urn] = "same"
            return [Step("same", old, draft.new)]

    def _diff_by_option(
        self, draft: Draft, old: ResourceState, inputs: Properties, replaced: bool
    ) -> DiffResult | None:
        """What options and the choice of provider decide without asking the provider; None if they do not."""
        if draft.goal.custom and draft.urn in self._deployment.options.remade:
            return DiffResult(Changes.SOME, ("id",), delete_before_replace=True)
        if replaced:
            return DiffResult(Changes.SOME, ("id",))
        if any(urn in self.replaces for urn in draft.new.replace_with):
            return DiffResult(Changes.SOME, ("replaceWith",))
        if draft.new.deleted_with in self.replaces:
            return DiffResult(Changes.SOME, ("deletedWith",))
        if self._providers.changed(old, draft.new, self.names.aliased):
            return DiffResult(Changes.SOME, ("provider",))
        if draft.provider is None:
            return DiffResult(Changes.NONE if diffing.equal(old.inputs, inputs) else Changes.SOME)
        return None

    def _triggered(self, draft: Draft, old: ResourceState) -> bool:
        """Whether another replacement trigger than the recorded one asks for a replacement."""
        trigger = draft.goal.trigger
        if has_unknowns(trigger) and not self._deployment.options.preview:
            self._report.error("its replacement trigger is not known", draft.urn)
            raise Bail(draft.urn)
        return diffing.triggers(old.replacement_trigger, trigger)

    def _recreate(self, draft: Draft) -> list[Step]:
        """The second half of a replacement whose first was planned with that of something it depends on."""
        self.deletes.discard(draft.urn)
        self.planned[draft.urn] = "replace"
        self.replaces.add(draft.urn)
        keys = self.replace_keys.get(draft.urn, ())
        return [Step("replace", draft.old, draft.new), Step("create-replacement", draft.old, draft.new, keys=keys)]

    def _refuse_other_provider(self, old: ResourceState) -> None:
        """Refuses to keep a resource as it is recorded when the program no longer has its provider."""
        if old.provider and self._providers.get(old.provider) is None:
            raise ResourceError(
                f"the program no longer has its provider {old.provider}, and --target or --exclude leave it out",
                where=name_of(old.urn),
                hint="let it take part, or put the provider back",
            )

    def _untargeted(self, old: ResourceState, urn: str) -> list[Step]:
        """Keeps a resource that is no target as it is recorded, with what it needs to stay in the state."""
        steps: list[Step] = []
        self.planned[urn] = "same"
        # It keeps its name, which its children will speak of, even where the program has another one for it.
        self.names.urns.add(old.urn)
        for needed in [old.parent, *named_by(old)]:
            recorded = self._deployment.olds.get(needed)
            if recorded is not None and not self.operated_on(needed):
                steps += self._untargeted(recorded, needed)
        return [*steps, Step("same", old, old.copy())]
