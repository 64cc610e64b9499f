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
        """What a resource depends on directly, with the children of components and its parent."""
        mine = self._position[id(state)]
        found: dict[int, None] = {}
        for urn in named_by(state):
            for index in self._by_urn.get(urn, ()):
                if index < mine:
                    found[index] = None
                    if not self._resources[index].custom:
                        for child in self._children.get(urn, ()):
                            if child < mine:
                                found[child] = None
        for index in self._by_urn.get(state.parent, ()) if state.parent else ():
            if index < mine:
                found[index] = None
        return [self._resources[index] for index in found]

    def transitive_dependencies_of(self, state: ResourceState) -> list[ResourceState]:
        """What a resource depends on, directly or not."""
        found: dict[int, ResourceState] = {}
        pending = [state]
        while pending:
            for needed in self.dependencies_of(pending.pop()):
                if id(needed) not in found:
                    found[id(needed)] = needed
                    pending.append(needed)
        return list(found.values())

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
