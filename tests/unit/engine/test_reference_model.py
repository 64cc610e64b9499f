"""Random graphs with every option that decides what is kept, with edits, failures and power cuts, against a model.

The model knows nothing of steps: it says what must exist after an update that succeeded, and what may after any.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from dataops.infra.engine.options import UpdateOptions
from dataops.infra.resources.references import named_by
from dataops.infra.resources.state import Deployment, ResourceState
from dataops.infra.resources.urn import name_of
from support.engine_world import SECRETS, STACK, World
from support.graph_program import Node, apply
from support.power_cut import FragileWorld

Graph = dict[str, Node]


def grown(random_: random.Random, size: int) -> Graph:
    """A random graph of this size."""
    names = [f"n{index}" for index in range(size)]
    graph: Graph = {}
    components: list[int] = []
    providers: list[int] = []
    for index, name in enumerate(names):
        # What others use cannot be deleted before it is replaced: the provider refuses, as a database would.
        earlier = [i for i in range(index) if i not in components + providers and not graph[names[i]].first]
        parent = random_.choice(components) if components and random_.random() < 0.3 else None
        if random_.random() < 0.15:
            graph[name] = Node(component=True, parent=parent)
            components.append(index)
            continue
        if random_.random() < 0.1:
            graph[name] = Node(provider=True, parent=parent)
            providers.append(index)
            continue
        uses = tuple(sorted(random_.sample(earlier, min(len(earlier), random_.choice([0, 0, 1, 1, 2, 3])))))
        # What is let go still exists, and the provider would not delete what it uses.
        free = not uses and random_.random() < 0.4
        graph[name] = Node(
            uses,
            value=str(random_.randrange(3)),
            kind=random_.choice("xxxxy"),
            first=random_.random() < 0.2,
            parent=parent,
            protect=random_.random() < 0.1,
            retain=free and random_.random() < 0.4,
            ends_with=random_.choice(earlier) if free and earlier and random_.random() < 0.6 else None,
            by=random_.choice(providers) if providers and random_.random() < 0.5 else None,
        )
    return graph


def edited(random_: random.Random, graph: Graph, failing: float) -> Graph:
    """The same graph with some values, kinds, renames, removals from its end and failures."""
    found = {}
    kept = max(1, len(graph) - random_.choice([0, 0, 1, 3]))
    nodes = list(graph.values())
    for index, (name, node) in enumerate(list(graph.items())[:kept]):
        changes: dict[str, object] = {"fail": "", "aliases": ()}
        if not node.component:
            if random_.random() < 0.3:
                changes["value"] = str(random_.randrange(3))
            if random_.random() < 0.1:
                changes["kind"] = random_.choice("xy")
        if not (node.component or node.provider):
            if random_.random() < 0.05:
                changes["by"] = random_.choice([None, *(i for i in range(index) if nodes[i].provider)])
            if random_.random() < 0.2:
                changes["protect"] = not node.protect
            if random_.random() < failing:
                changes["fail"] = random_.choice(["create", "update", "delete"])
        if random_.random() < 0.1:
            changes["aliases"] = (name,)
            name = f"{name}-{random_.randrange(1000)}"
        found[name] = replace(node, **changes)  # type: ignore[arg-type]
    return found


def let_go(graph: Mapping[str, Node]) -> set[str]:
    """The names of what may exist once it is no longer recorded."""
    return {name for name, node in graph.items() if node.retain or node.ends_with is not None}


def kept(world: World, loose: set[str]) -> list[str]:
    """The ids of what exists and must be recorded."""
    recorded = {state.id for state in world.backend.load(STACK, SECRETS).resources}
    return sorted(id_ for id_ in world.provider.objects if id_ in recorded or id_.rpartition("-")[0] not in loose)


def check_recorded_is_real(world: World, loose: set[str]) -> None:
    """What exists is what is recorded, once each; each resource comes after all that it names."""
    deployment = world.backend.load(STACK, SECRETS)
    recorded = [state.id for state in things(deployment) if not state.pending_replacement]
    assert sorted(recorded) == kept(world, loose)
    assert deployment.pending_operations == []
    check_order(deployment)


def things(deployment: Deployment) -> list[ResourceState]:
    """The recorded resources that stand for objects."""
    return [state for state in deployment.resources if state.custom and state.type.startswith("world:")]


def check_order(deployment: Deployment) -> None:
    """Each resource comes after all that it names."""
    seen: set[str] = set()
    for state in deployment.resources:
        assert seen >= {urn for urn in (state.parent, *named_by(state)) if urn}, state.urn
        seen.add(state.urn)


def check_nothing_is_lost(world: World, loose: set[str]) -> None:
    """Each object is recorded, or a pending operation says that it may be there; and the other way round."""
    deployment = world.backend.load(STACK, SECRETS)
    recorded = {state.id for state in things(deployment)}
    unsure = {id_.rpartition("-")[0] for id_ in world.provider.objects.keys() - recorded} - loose
    assert unsure <= names_of(deployment, "creating")
    gone = [s for s in things(deployment) if s.id not in world.provider.objects and not s.pending_replacement]
    assert {name_of(state.urn) for state in gone} <= names_of(deployment, "deleting")
    check_order(deployment)


def names_of(deployment: Deployment, pending: str) -> set[str]:
    """The names of the resources with a pending operation of a kind."""
    return {name_of(item.resource.urn) for item in deployment.pending_operations if item.kind == pending}


def check_graph(world: World, graph: Mapping[str, Node]) -> None:
    """The model: exactly these resources, with these values, kinds, parents and edges."""
    providers, names = world.providers(), list(graph)
    recorded = {**world.resources(), **providers}
    assert set(recorded) == set(graph)
    for name, node in graph.items():
        state = recorded[name]
        parent = "" if node.parent is None else recorded[names[node.parent]].urn
        assert state.parent == parent and state.custom is not node.component
        if node.provider:
            assert (state.inputs["zone"], state.inputs["region"]) == (node.value, node.kind)
        elif not node.component:
            by = None if node.by is None else providers[names[node.by]]
            assert by is None or state.provider == f"{by.urn}::{by.id}"
            held = world.provider.objects[state.id]
            assert (held["value"], held["r_kind"]) == (node.value, node.kind)
            assert held["uses"] == [recorded[names[index]].id for index in node.uses]


def moment(random_: random.Random, size: int) -> int:
    """When the power is cut, if the operation lasts so long: early rather than late."""
    return 1 + int(random_.random() ** 2 * 12 * (size + 2))


def recover(world: FragileWorld, random_: random.Random, graph: Graph, options: UpdateOptions, loose: set[str]) -> None:
    """What a user does after a power cut, which may not have been the last: the same again, then a refresh.

    The same again leads to what is asked for, whatever was under way. What nobody knows about is looked for and
    removed, as the warning says.
    """
    size = len(graph)
    for power in (False, True):
        check_nothing_is_lost(world, loose)
        recorded = {state.id for state in things(world.backend.load(STACK, SECRETS))}
        for id_ in [i for i in world.provider.objects if i not in recorded and i.rpartition("-")[0] not in loose]:
            del world.provider.objects[id_]
        if random_.random() < 0.5:
            result = world.cut(0 if power else moment(random_, size), lambda: apply(world, graph, options))
            if result is not None and not result.failed:
                check_graph(world, graph)
        elif not power:
            world.cut(moment(random_, size), lambda: world.refresh(options))
    check_nothing_is_lost(world, loose)
    assert not world.refresh(replace(options, clear_pending_creates=True)).failed, world.messages()


def live(random_: random.Random, size: int, edits: int, parallel: int, cuts: float = 0) -> None:
    """Lets a stack live: edits and failures, and after each the truth; in the end the model, and nothing left to do.

    Args:
        cuts: how often the power is cut during an update.
    """
    world, graph = FragileWorld(), grown(random_, size)
    loose: set[str] = set()
    options = UpdateOptions(parallel=parallel)
    for _ in range(edits):
        loose |= let_go(graph)
        at = moment(random_, size) if random_.random() < cuts else 0
        version = graph
        result = world.cut(at, lambda version=version: apply(world, version, options))  # type: ignore[misc]
        if result is None:
            recover(world, random_, graph, options, loose)
        check_recorded_is_real(world, loose)
        if result is not None and not result.failed:
            check_graph(world, graph)
        graph = edited(random_, graph, failing=0.05)
    world.provider.forgiving = True
    graph = {name: replace(node, fail="", protect=False) for name, node in graph.items()}
    loose |= let_go(graph)
    assert not apply(world, graph, replace(options, ignore_protect=True)).failed, world.messages()
    check_recorded_is_real(world, loose)
    check_graph(world, graph)
    graph = {name: replace(node, aliases=()) for name, node in graph.items()}
    world.provider.calls.clear()
    assert set(apply(world, graph, options).changes) <= {"same"}
    assert world.provider.calls == []
    assert not world.refresh(options).failed
    check_graph(world, graph)
    assert not world.destroy(options).failed, world.messages()
    assert kept(world, loose) == [] and world.backend.load(STACK, SECRETS).resources == []


@pytest.mark.parametrize(("number", "size", "parallel"), [(1, 8, 16), (2, 14, 4)])
def test_a_stack_agrees_with_the_model_through_edits_and_failures(number: int, size: int, parallel: int) -> None:
    live(random.Random(number), size, 3, parallel)


@pytest.mark.parametrize(("number", "size", "parallel"), [(3, 10, 16), (4, 16, 4)])
def test_a_stack_agrees_with_the_model_through_power_cuts(number: int, size: int, parallel: int) -> None:
    live(random.Random(number), size, 3, parallel, cuts=1)


@pytest.mark.torture
@seed(20260202)
@given(st.integers(0, 2**32), st.integers(1, 200), st.integers(1, 6), st.sampled_from([1, 2, 16]))
@settings(max_examples=60, deadline=None, database=None, print_blob=True)
def test_many_stacks_agree_with_the_model(number: int, size: int, edits: int, parallel: int) -> None:
    live(random.Random(number), size, edits, parallel, cuts=0.4)
