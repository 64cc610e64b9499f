"""The names that resources get in this deployment, and those that they were recorded under before."""

from __future__ import annotations

from dataops.infra.engine.aliases import alias_urns
from dataops.infra.engine.deployment import Bail, Deployment
from dataops.infra.engine.goal import Goal, ReadGoal
from dataops.infra.engine.reporting import Reporter
from dataops.infra.errors import ResourceError
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import make_urn


class Names:
    """Which URNs are taken.

    Attributes:
        urns: those of this deployment so far.
        aliased: for each recorded URN that a resource has been found under, the URN that the resource has now.
        alias_of: the other way round.
    """

    def __init__(self, deployment: Deployment, reporter: Reporter) -> None:
        self._deployment = deployment
        self._report = reporter
        self.urns: set[str] = set()
        self.aliased: dict[str, str] = {}
        self.alias_of: dict[str, str] = {}

    def take(self, parent: str, type_: str, name: str) -> str:
        """The URN of a new registration.

        Raises:
            Bail: it is taken; that was reported.
            ResourceError: there is no such parent.
        """
        if parent and parent not in self.urns:
            raise ResourceError(f"there is no parent resource {parent}", where=name)
        stack = self._deployment.reference
        urn = make_urn(stack.stack, stack.project, parent or None, type_, name)
        if urn in self.urns:
            self._report.error(f"Duplicate resource URN '{urn}'; try giving it a unique name", urn)
            raise Bail(urn)
        self.urns.add(urn)
        return urn

    def recorded(self, urn: str, goal: Goal | ReadGoal) -> tuple[ResourceState | None, bool]:
        """The recorded resource that a goal is about, under its URN or an alias, and whether the names clash."""
        olds, stack = self._deployment.olds, self._deployment.reference
        clash = False
        if urn in self.aliased:
            self._report.error(
                f"Duplicate resource URN '{urn}' conflicting with alias on resource with URN '{self.aliased[urn]}'", urn
            )
            clash = True
        if urn in olds:
            return olds[urn], clash
        if not goal.aliases and goal.parent not in self.alias_of:
            return None, clash
        for alias in alias_urns(
            self.alias_of, stack.stack, stack.project, goal.name, goal.type, goal.parent, goal.aliases
        ):
            if alias not in olds:
                continue
            if taken := alias if alias in self.urns else self.aliased.get(alias):
                self._report.error(
                    f"Duplicate resource alias '{alias}' applied to resource with URN '{urn}' "
                    f"conflicting with resource with URN '{taken}'",
                    urn,
                )
                clash = True
            self.aliased[alias] = urn
            self.alias_of[urn] = alias
            return olds[alias], clash
        return None, clash
