"""Makes the plan of a preview, and holds an update to one."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace

from dataops.infra.engine.goal import Goal
from dataops.infra.engine.plan import (
    Plan,
    PlannedGoal,
    PlannedResource,
    PropertyChanges,
    allows,
    check_changes,
    check_goal,
)
from dataops.infra.engine.step import Step
from dataops.infra.errors import ResourceError
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import name_of
from dataops.infra.resources.values import Properties


class PlanKeeping:
    """Notes what is proposed, and refuses what was not planned. Called by one thread at a time.

    Args:
        plan: what the update must keep to; None when it may do anything.
        making: whether the plan of this operation is wanted.
    """

    def __init__(self, plan: Plan | None, making: bool) -> None:
        self._left = copy.deepcopy(plan)
        self._making = making
        self.made: Plan = {}

    @property
    def active(self) -> bool:
        """Whether there is anything to do."""
        return self._making or self._left is not None

    def goal(
        self, urn: str, goal: Goal, old: ResourceState | None, old_inputs: Properties | None, inputs: Properties
    ) -> None:
        """A goal whose inputs have been checked; `old_inputs` is None where the old ones do not count.

        Raises:
            ResourceError: it is not the goal that was planned.
        """
        before = old_inputs or {}
        if self._making:
            planned = self.made.setdefault(urn, PlannedResource())
            planned.goal = PlannedGoal.of(goal, PropertyChanges.between(before, inputs))
        if self._left is None:
            return
        try:
            if urn in self._left:
                check_goal(self._left[urn].goal, before, inputs, goal)
            elif old is not None:
                check_goal(PlannedGoal.of_recorded(old), before, inputs, goal)
        except ResourceError as error:
            raise ResourceError(f"it violates the plan: {error.what}", where=name_of(urn)) from None

    def steps(self, steps: Iterable[Step]) -> None:
        """Steps that are about to be done; `ResourceError` when one was not planned."""
        for step in steps:
            if self._making and (step.urn in self.made or step.op != "same" or step.old is None):
                self.made.setdefault(step.urn, PlannedResource()).steps.append(step.op)
            if self._left is not None:
                self._allow(step)

    def outputs(self, urn: str, before: Properties, outputs: Properties, registered: bool) -> None:
        """The outputs of a resource, as far as they are known; those of components are `registered`.

        Raises:
            ResourceError: registered outputs are not those that were planned.
        """
        if self._making and (planned := self.made.get(urn)):
            planned.outputs = outputs
            if registered and planned.goal is not None:
                planned.goal = replace(planned.goal, outputs=PropertyChanges.between(before, outputs))
        if registered and self._left is not None:
            goal = self._left[urn].goal if urn in self._left else None
            if goal is None:
                raise ResourceError("its outputs were not planned", where=name_of(urn))
            try:
                check_changes(before, outputs, goal.outputs)
            except ResourceError as error:
                raise ResourceError(f"it violates the plan: output {error.what}", where=name_of(urn)) from None

    def unseen(self, recorded: Iterable[str]) -> list[str]:
        """The URNs for which steps were planned that have not been done; one that is gone need not be deleted."""
        there = set(recorded)
        return [
            urn
            for urn, planned in (self._left or {}).items()
            if planned.steps and not (planned.steps == ["delete"] and urn not in there)
        ]

    def _allow(self, step: Step) -> None:
        assert self._left is not None
        planned = self._left.get(step.urn)
        if planned is None:
            refused = "" if step.op == "same" else "no steps"
        elif not planned.steps:
            refused = "no more steps"
        else:
            refused = "" if allows(expected := planned.steps.pop(0), step.op) else expected
        if refused:
            raise ResourceError(f"{step.op} is not in the plan, which has {refused} for it", where=name_of(step.urn))
