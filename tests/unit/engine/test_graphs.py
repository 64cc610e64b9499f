"""Random graphs of resources, random edits and failures, against what must hold whatever the order of things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from dataops.infra.engine.options import UpdateOptions
from support.engine_world import SECRETS, STACK, World
from support.graph_program import Node, apply

NAMES = [f"n{index}" for index in range(10)]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Node]:
    """A graph over some of ten names."""
    chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=8))
    found: dict[str, Node] = {}
    for index, name in enumerate(chosen):
        uses = draw(st.lists(st.integers(0, index - 1), unique=True, max_size=3)) if index else []
        fail = draw(st.sampled_from(["", "", "", "", "create", "update", "delete"]))
        found[name] = Node(tuple(uses), draw(st.sampled_from("12")), draw(st.sampled_from("xxxy")), fail)
    return found


def healed(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """The same graph without failures."""
    return {name: Node(node.uses, node.value, node.kind) for name, node in nodes.items()}


def check_state_tells_the_truth(world: World) -> None:
    """What exists is what is recorded, once each, in an order in which each comes after what it uses."""
    deployment = world.backend.load(STACK, SECRETS)
    things = [state for state in deployment.resources if state.type == "world:index:Thing"]
    assert sorted(state.id for state in things) == sorted(world.provider.objects)
    assert deployment.pending_operations == []
    seen: set[str] = set()
    for state in deployment.resources:
        assert seen.issuperset(state.dependencies)
        seen.add(state.urn)


def check_graph_exists(world: World, nodes: Mapping[str, Node]) -> None:
    """Exactly the graph exists, with its edges."""
    recorded = world.resources()
    assert set(recorded) == set(nodes) and len(world.provider.objects) == len(nodes)
    names = list(nodes)
    for name, node in nodes.items():
        held = world.provider.objects[recorded[name].id]
        assert (held["value"], held["r_kind"]) == (node.value, node.kind)
        assert held["uses"] == [recorded[names[index]].id for index in node.uses]


def live_through(versions: list[dict[str, Node]], parallel: int) -> None:
    """Applies each version with its failures, then the last without any, then nothing at all."""
    world, options = World(), UpdateOptions(parallel=parallel)
    for nodes in versions:
        apply(world, nodes, options)
        check_state_tells_the_truth(world)
    last = healed(versions[-1])
    world.provider.forgiving = True
    assert not apply(world, last, options).failed, world.messages()
    check_state_tells_the_truth(world)
    check_graph_exists(world, last)
    world.provider.calls.clear()
    assert set(apply(world, last, options).changes) <= {"same"}
    assert world.provider.calls == []
    assert not apply(world, {}, options).failed
    assert world.provider.objects == {} and world.resources() == {}


SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@pytest.mark.slow
@given(st.lists(graphs(), min_size=1, max_size=3), st.sampled_from([1, 2, 16]))
@settings(max_examples=8, deadline=None, suppress_health_check=SUPPRESSED, database=None, print_blob=True)
def test_a_stack_converges_through_edits_and_failures(versions: list[dict[str, Node]], parallel: int) -> None:
    live_through(versions, parallel)


@pytest.mark.torture
@seed(20260101)
@given(st.lists(graphs(), min_size=1, max_size=5), st.sampled_from([1, 2, 16]))
@settings(max_examples=300, deadline=None, suppress_health_check=SUPPRESSED, database=None, print_blob=True)
def test_many_stacks_converge_through_edits_and_failures(versions: list[dict[str, Node]], parallel: int) -> None:
    live_through(versions, parallel)


def test_a_long_chain_is_made_and_deleted_in_order() -> None:
    world = World()
    chain = {f"c{index}": Node((index - 1,) if index else ()) for index in range(60)}
    apply(world, chain)
    assert [name for _, name in world.provider.calls] == list(chain)
    world.provider.calls.clear()
    apply(world, {})
    assert [name for _, name in world.provider.calls] == list(reversed(chain))


def test_a_failed_create_stops_what_depends_on_it_and_keeps_the_rest() -> None:
    world = World()
    nodes = {"a": Node(), "b": Node((0,), fail="create"), "c": Node((1,))}
    assert apply(world, nodes).failed
    assert sorted(world.resources()) == ["a"]
    assert [name for name, _ in world.messages()][0] == "b"


def test_a_failed_delete_keeps_what_the_resource_needs() -> None:
    world = World()
    apply(world, {"a": Node(), "b": Node((0,), fail="delete")})
    assert apply(world, {}).failed
    assert sorted(world.resources()) == ["a", "b"]


def test_a_target_that_something_else_needs_is_deleted_only_with_it() -> None:
    world = World()
    apply(world, {"a": Node(), "b": Node((0,))})
    target = UpdateOptions(targets=("**::a",))
    assert apply(world, {}, target).failed and world.messages()[0][0] == "b"
    assert sorted(world.resources()) == ["a", "b"]
    assert not apply(world, {}, replace(target, target_dependents=True)).failed
    assert world.resources() == {}


def test_what_is_no_target_cannot_lose_its_provider() -> None:
    world = World()
    graph = {"p": Node(provider=True), "q": Node(provider=True), "a": Node(by=0), "b": Node()}
    apply(world, graph)
    for changed in ({**graph, "a": Node(by=1)}, {**graph, "p": Node(provider=True, kind="y")}):
        moved = {name: node for name, node in changed.items() if name != "p"} if changed["a"].by else changed
        moved = {name: replace(node, by=0) if node.by else node for name, node in moved.items()}
        assert apply(world, moved, UpdateOptions(targets=("**::b",))).failed
        assert "no longer has its provider" in dict(world.messages())["a"]
        assert not apply(world, moved).failed
        apply(world, graph)


def test_what_is_no_target_keeps_its_name_for_its_children() -> None:
    world = World()
    apply(world, {"g": Node(component=True), "c": Node(parent=0), "a": Node()})
    renamed = {"h": Node(component=True, aliases=("g",)), "c": Node(parent=0, value="2"), "a": Node(value="2")}
    assert not apply(world, renamed, UpdateOptions(targets=("**::a",))).failed, world.messages()
    assert sorted(world.resources()) == ["a", "c", "g"]
    assert not apply(world, renamed, UpdateOptions(excludes=("**::h",))).failed, world.messages()
    assert world.resources()["c"].inputs["value"] == "2"
    assert not apply(world, renamed).failed
    assert world.resources()["c"].parent == world.resources()["h"].urn


def test_a_replacement_is_made_before_the_old_one_is_deleted() -> None:
    world = World()
    apply(world, {"a": Node(), "b": Node((0,))})
    world.provider.calls.clear()
    apply(world, {"a": Node(kind="y"), "b": Node((0,))})
    assert world.provider.calls == [("create", "a"), ("update", "b"), ("delete", "a")]


def test_what_was_replaced_waits_for_its_deletion_while_something_excluded_needs_it() -> None:
    world = World()
    apply(world, {"a": Node(), "b": Node((0,))})
    assert not apply(world, {"a": Node(kind="y")}, UpdateOptions(excludes=("**::b",))).failed
    states = world.backend.load(STACK, SECRETS).resources
    assert [(state.id, state.delete) for state in states if state.urn.endswith("::a")] == [
        ("a-3", False),
        ("a-1", True),
    ]
    world.provider.calls.clear()
    assert not apply(world, {"a": Node(kind="y")}).failed
    assert sorted(world.provider.calls) == [("delete", "a"), ("delete", "b")]
