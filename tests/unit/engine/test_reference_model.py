"""Random graphs with every option that decides what is kept, edited and failing at random, against a reference model.

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
from support.engine_world import SECRETS, STACK, World
from support.graph_program import Node, apply

Graph = dict[str, Node]


def grown(random_: random.Random, size: int) -> Graph:
    """A random graph of this size."""
    names = [f"n{index}" for index in range(size)]
    graph: Graph = {}
    components: list[int] = []
    for index, name in enumerate(names):
        # What others use cannot be deleted before it is replaced: the provider refuses, as a database would.
        earlier = [i for i in range(index) if i not in components and not graph[names[i]].first]
        parent = random_.choice(components) if components and random_.random() < 0.3 else None
        if random_.random() < 0.15:
            graph[name] = Node(component=True, parent=parent)
            components.append(index)
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
        )
    return graph


def edited(random_: random.Random, graph: Graph, failing: float) -> Graph:
    """The same graph with some values, kinds, renames, removals from its end and failures."""
    found = {}
    kept = max(1, len(graph) - random_.choice([0, 0, 1, 3]))
    for name, node in list(graph.items())[:kept]:
        changes: dict[str, object] = {"fail": "", "aliases": ()}
        if not node.component:
            if random_.random() < 0.3:
                changes["value"] = str(random_.randrange(3))
            if random_.random() < 0.1:
                changes["kind"] = random_.choice("xy")
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
    things = [state for state in deployment.resources if state.custom and state.type.startswith("world:")]
    assert sorted(state.id for state in things if not state.pending_replacement) == kept(world, loose)
    assert deployment.pending_operations == []
    seen: set[str] = set()
    for state in deployment.resources:
        named = {state.parent, *state.dependencies, state.deleted_with, *sum(state.property_dependencies.values(), [])}
        assert seen >= named - {""}, state.urn
        seen.add(state.urn)


def check_graph(world: World, graph: Mapping[str, Node]) -> None:
    """The model: exactly these resources, with these values, kinds, parents and edges."""
    recorded, names = world.resources(), list(graph)
    assert set(recorded) == set(graph)
    for name, node in graph.items():
        state = recorded[name]
        parent = "" if node.parent is None else recorded[names[node.parent]].urn
        assert state.parent == parent and state.custom is not node.component
        if not node.component:
            held = world.provider.objects[state.id]
            assert (held["value"], held["r_kind"]) == (node.value, node.kind)
            assert held["uses"] == [recorded[names[index]].id for index in node.uses]


def live(random_: random.Random, size: int, edits: int, parallel: int) -> None:
    """Lets a stack live: edits and failures, and after each the truth; in the end the model, and nothing left to do."""
    world, graph = World(), grown(random_, size)
    loose: set[str] = set()
    options = UpdateOptions(parallel=parallel)
    for _ in range(edits):
        loose |= let_go(graph)
        result = apply(world, graph, options)
        check_recorded_is_real(world, loose)
        if not result.failed:
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


@pytest.mark.torture
@seed(20260202)
@given(st.integers(0, 2**32), st.integers(1, 200), st.integers(1, 6), st.sampled_from([1, 2, 16]))
@settings(max_examples=60, deadline=None, database=None, print_blob=True)
def test_many_stacks_agree_with_the_model(number: int, size: int, edits: int, parallel: int) -> None:
    live(random.Random(number), size, edits, parallel)
