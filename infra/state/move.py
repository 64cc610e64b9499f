"""Moving resources from one stack to another: what both stacks record afterwards, as `pulumi state move` has it.

A moved resource keeps its id and its properties and gets the URN that it has in the other stack. Its children go with
it, and its providers are copied: they stay behind for those that still use them. What remains and what goes do not
depend on each other any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dataops.infra.errors import ConfigurationError, DataopsError, NotFoundError, PolicyError, VerificationError
from dataops.infra.resources.references import named_by, provider_id, provider_urn
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import ROOT_STACK_TYPE, is_provider, make_urn, name_of, type_of
from dataops.infra.state.backend import StackReference

Resources = list[ResourceState]


@dataclass(frozen=True, slots=True)
class Move:
    """What a move comes to.

    Args:
        source, dest: the resources of both stacks afterwards.
        urns: those that are moved, in the order of the source, by the names they have there.
        parted: sentences about dependencies that the move cuts: of what remains, of what goes.
        missing: URNs that were named and are not there.
        resumed: the destination has them already: an earlier move was cut off before it took them from the source.
    """

    source: Resources
    dest: Resources
    urns: tuple[str, ...]
    parted: tuple[tuple[str, ...], tuple[str, ...]]
    missing: tuple[str, ...]
    resumed: bool


def move(
    source: Sequence[ResourceState],
    dest: Sequence[ResourceState],
    to: StackReference,
    urns: Collection[str],
    include_parents: bool = False,
) -> Move:
    """Plans to move resources into the stack `to`.

    Args:
        source, dest: what both stacks record now.
        urns: of the resources to move; that of the stack itself stands for everything in it.
        include_parents: their parents go, too.

    Raises:
        NotFoundError: none of them is there.
        ConfigurationError: one is a provider, or is in the other stack already.
        PolicyError: something that has to stay would lose its parent.
        VerificationError: what one of the stacks records is out of order already.
    """
    for resources in (source, dest):
        _check_order(resources, VerificationError, "run `dataops stack state repair`")
    moved = _chosen(source, urns, include_parents)
    missing = tuple(urn for urn in urns if urn not in {state.urn for state in source})
    going = [state for state in source if state.urn in moved]
    staying = [state for state in source if state.urn not in moved]
    kept = {state.urn for state in staying}
    remaining, parted_here = _parted(staying, moved)
    travelling, parted_there = _parted(going, kept)
    arrival = _Arrival(dest, to, moved)
    used = {state.provider for state in going}
    for provider in staying:
        reference = f"{provider.urn}::{provider.id}"
        if reference in used:
            (copied,), lost = _parted([provider], kept)
            parted_there += lost
            arrival.add_provider(copied, reference)
    for state in travelling:
        arrival.add(state)
    resumed = arrival.resumes()
    after = list(dest) if resumed else arrival.resources
    _check_order(remaining, PolicyError, "move what the other needs as well")
    _check_order(after, PolicyError, "move what the other needs as well")
    names = tuple(state.urn for state in going)
    return Move(remaining, after, names, (tuple(parted_here), tuple(parted_there)), missing, resumed)


def _chosen(source: Sequence[ResourceState], urns: Collection[str], include_parents: bool) -> set[str]:
    """The URNs of all that goes: what was named, its children, and its parents where they are wanted."""
    by_urn = {state.urn: state for state in source}
    moved: set[str] = set()
    for urn in urns:
        if urn in by_urn:
            if is_provider(by_urn[urn].type):
                raise ConfigurationError(
                    "a provider cannot be moved by itself", where=urn, hint="providers go with their resources"
                )
            moved.add(urn)
    if not moved:
        raise NotFoundError("none of these resources is in the stack", hint="dataops stack --show-urns lists URNs")
    if include_parents:
        for urn in list(moved):
            above = by_urn.get(by_urn[urn].parent)
            while above is not None and above.type != ROOT_STACK_TYPE and not is_provider(above.type):
                moved.add(above.urn)
                above = by_urn.get(above.parent)
    for state in source:
        if state.parent in moved and not is_provider(state.type):
            moved.add(state.urn)
    return {urn for urn in moved if by_urn[urn].type != ROOT_STACK_TYPE}


def _parted(resources: Sequence[ResourceState], others: Collection[str]) -> tuple[Resources, list[str]]:
    """Resources without their dependencies on others, parents and providers aside, and sentences about these."""
    result: Resources = []
    said: list[str] = []
    for state in resources:
        lost: list[str] = []
        lost += [f"{state.urn} has a dependency on {urn}" for urn in state.dependencies if urn in others]
        for key, urns in sorted(state.property_dependencies.items()):
            lost += [f"{state.urn} ({key}) has a property dependency on {urn}" for urn in urns if urn in others]
        if state.deleted_with in others:
            lost.append(f"{state.urn} is marked as deleted with {state.deleted_with}")
        lost += [f"{state.urn} is marked as replace with {urn}" for urn in state.replace_with if urn in others]
        said += lost
        result.append(_without(state, others) if lost else state)
    return result, said


def _without(state: ResourceState, others: Collection[str]) -> ResourceState:
    properties = {key: [u for u in urns if u not in others] for key, urns in state.property_dependencies.items()}
    return state.copy(
        dependencies=[urn for urn in state.dependencies if urn not in others],
        property_dependencies={key: urns for key, urns in properties.items() if urns},
        deleted_with="" if state.deleted_with in others else state.deleted_with,
        replace_with=[urn for urn in state.replace_with if urn not in others],
    )


class _Arrival:
    """The stack that resources are moved to, as they arrive: each after what it depends on."""

    def __init__(self, dest: Sequence[ResourceState], to: StackReference, moved: Collection[str]) -> None:
        self._to = to
        self._moved = moved
        self._before = {state.urn: state for state in dest}
        self._urns: dict[str, str] = {}
        self._providers: dict[str, str] = {}
        self._arrived: Resources = []
        self._present: list[tuple[ResourceState, ResourceState]] = []
        root = next((state for state in dest if state.type == ROOT_STACK_TYPE and not state.delete), None)
        name = f"{to.project}-{to.stack}"
        self._root = root or ResourceState(make_urn(to.stack, to.project, None, ROOT_STACK_TYPE, name), ROOT_STACK_TYPE)
        self.resources = list(dest) if root else [self._root, *dest]

    def add_provider(self, state: ResourceState, reference: str) -> None:
        """Takes the copy of a provider, or uses the one that the stack has; `ConfigurationError` for another one."""
        new = self._renamed(state)
        there = self._before.get(new.urn)
        if there is not None and there.id != new.id and there.inputs != new.inputs:
            raise ConfigurationError("the destination has another provider of that name", where=new.urn)
        self._providers[reference] = f"{new.urn}::{there.id if there is not None else new.id}"
        if there is None:
            self.resources.append(new)

    def add(self, state: ResourceState) -> None:
        """Takes a resource."""
        new = self._renamed(state)
        self._urns[state.urn] = new.urn
        self._arrived.append(new)
        if new.urn in self._before:
            self._present.append((self._before[new.urn], new))
        else:
            self.resources.append(new)

    def resumes(self) -> bool:
        """Whether all that arrives is there already, as the very same things.

        Raises:
            ConfigurationError: the destination has another resource of one of the names.
        """
        if not self._present:
            return False
        same = [old for old, new in self._present if _is_same(old, new)]
        if len(same) == len(self._arrived) and any(state.id for state in same):
            return True
        raise ConfigurationError(
            "the destination has a resource of that name already", where=self._present[0][1].urn, hint="rename one"
        )

    def _renamed(self, state: ResourceState) -> ResourceState:
        parent = self._urn(state.parent) if state.parent in self._moved else self._root.urn
        above = None if parent == self._root.urn else parent
        return state.copy(
            urn=make_urn(self._to.stack, self._to.project, above, type_of(state.urn), name_of(state.urn)),
            parent=parent,
            provider=self._provider(state.provider),
            dependencies=[self._urn(urn) for urn in state.dependencies],
            property_dependencies={
                key: [self._urn(urn) for urn in urns] for key, urns in state.property_dependencies.items()
            },
            deleted_with=self._urn(state.deleted_with),
            replace_with=[self._urn(urn) for urn in state.replace_with],
        )

    def _urn(self, urn: str) -> str:
        if not urn or urn in self._urns:
            return self._urns.get(urn, urn)
        return f"urn:pulumi:{self._to.stack}::{self._to.project}::{urn.split('::', 2)[2]}"

    def _provider(self, reference: str) -> str:
        if not reference or reference in self._providers:
            return self._providers.get(reference, reference)
        return f"{self._urn(provider_urn(reference))}::{provider_id(reference)}"


def _is_same(one: ResourceState, other: ResourceState) -> bool:
    return (one.type, one.id, one.inputs, one.outputs) == (other.type, other.id, other.inputs, other.outputs)


def _check_order(resources: Sequence[ResourceState], error: type[DataopsError], hint: str) -> None:
    """Refuses resources one of which does not come after all that it depends on."""
    seen: set[str] = set()
    for state in resources:
        lost = [urn for urn in filter(None, [state.parent, *named_by(state)]) if urn not in seen]
        if lost and not state.delete:
            raise error(f"it would stand without {lost[0]}, which it needs", where=state.urn, hint=hint)
        seen.add(state.urn)
