"""Who depends on whom among recorded resources.

A resource depends on what its properties come from, on what it was told to depend on, on its parent, on its provider
and on what it is deleted or replaced with. Depending on a component means depending on its children.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from dataops.infra.resources.references import named_by
from dataops.infra.resources.state import ResourceState


class DependencyGraph:
    """The dependencies of a list of resources in which each comes after what it depends on."""

    def __init__(self, resources: Sequence[ResourceState]) -> None:
        self._resources = list(resources)
        self._position = {id(state): index for index, state in enumerate(resources)}
        self._children: dict[str, list[int]] = {}
        self._by_urn: dict[str, list[int]] = {}
        for index, state in enumerate(resources):
            self._by_urn.setdefault(state.urn, []).append(index)
            if state.parent:
                self._children.setdefault(state.parent, []).append(index)

    def __contains__(self, state: object) -> bool:
        return id(state) in self._position

    def replace(self, old: ResourceState, new: ResourceState) -> None:
        """Puts a newer state of a resource in the place of the one that is there."""
        index = self._position[id(new)] = self._position[id(old)]
        self._resources[index] = new
        if new.urn != old.urn:
            self._by_urn.setdefault(new.urn, []).append(index)

    def depending_on(
        self, state: ResourceState, ignored: Container[str], children: bool = False
    ) -> list[ResourceState]:
        """Everything that depends on a resource, directly or not, in the order of the list.

        Args:
            ignored: URNs that are left out, with whatever depends only on them.
            children: whether the children of a resource depend on it.
        """
        found, urns = [], {state.urn}
        for candidate in self._resources[self._position[id(state)] + 1 :]:
            if candidate.urn in ignored:
                continue
            if any(urn in urns for urn in named_by(candidate)) or (children and candidate.parent in urns):
                found.append(candidate)
                urns.add(candidate.urn)
        return found

    def dependencies_of(self, state: ResourceState) -> list[ResourceState]:
        """What a resource depends on directly, with everything below components and its parent."""
        mine = self._position[id(state)]
        found: dict[int, None] = {}
        for urn in named_by(state):
            for index in self._by_urn.get(urn, ()):
                if index < mine:
                    found[index] = None
                    if not self._resources[index].custom:
                        found |= dict.fromkeys(below for below in self._below(urn) if below < mine)
        for index in self._by_urn.get(state.parent, ()) if state.parent else ():
            if index < mine:
                found[index] = None
        return [self._resources[index] for index in found]

    def transitive_dependencies_of(self, state: ResourceState) -> list[ResourceState]:
        """What a resource depends on, directly or not, with its parents.

        Of two resources with one URN, one of which waits for its deletion, that one is meant by whatever waits for its
        deletion too, and the other one by everything else.
        """
        found: dict[int, ResourceState] = {}
        pending = [state]
        while pending:
            needy = pending.pop()
            for urn in {needy.parent, *named_by(needy)}:
                needed = self._meant(urn, needy)
                if needed is not None and id(needed) not in found:
                    found[id(needed)] = needed
                    pending.append(needed)
        return [needed for needed in found.values() if needed is not state]

    def _meant(self, urn: str, by: ResourceState) -> ResourceState | None:
        """The resource that is meant by a URN."""
        candidates = [self._resources[index] for index in self._by_urn.get(urn, ())]
        alike = [candidate for candidate in candidates if candidate.delete == by.delete]
        return alike[-1] if alike else candidates[-1] if candidates else None

    def _below(self, urn: str) -> set[int]:
        """The positions of the children of a resource, and of theirs."""
        found: set[int] = set()
        pending = [urn]
        while pending:
            children = [child for child in self._children.get(pending.pop(), ()) if child not in found]
            found.update(children)
            pending += {self._resources[child].urn for child in children}
        return found

    def waves_of_deletion(self, condemned: Iterable[ResourceState]) -> list[list[ResourceState]]:
        """Resources in waves: each wave may be deleted at once, after the waves before it."""
        left = {id(state): state for state in condemned}
        waiting: dict[int, int] = {}
        needed_by: dict[int, list[int]] = {}
        for key, state in left.items():
            needs = [id(needed) for needed in self.dependencies_of(state) if id(needed) in left]
            waiting[key] = len(needs)
            for need in needs:
                needed_by.setdefault(need, []).append(key)
        waves, ready = [], [key for key, count in waiting.items() if not count]
        while left:
            # Resources that need one another, which no state should hold, go together.
            wave = ready or list(left)
            waves.append([left.pop(key) for key in wave])
            ready = []
            for key in wave:
                for other in needed_by.get(key, ()):
                    waiting[other] -= 1
                    if not waiting[other] and other in left:
                        ready.append(other)
        waves.reverse()
        return waves
