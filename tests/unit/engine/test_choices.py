"""What may change and what must: `--exclude`, `--replace`, `--ignore-protect`, pending creations that took effect."""

from __future__ import annotations

from dataclasses import replace

from dataops.infra.engine.options import UpdateOptions
from dataops.infra.resources.state import PendingOperation, ResourceState
from support.engine_world import SECRETS, STACK, World
from support.graph_program import Node, apply

CHAIN = {"a": Node(), "b": Node((0,)), "c": Node((1,)), "d": Node()}
CHANGED = {name: replace(node, value="2") for name, node in CHAIN.items()}


def urn(name: str) -> str:
    return f"urn:pulumi:dev::world::world:index:Thing::{name}"


def test_what_is_excluded_stays_as_it_is() -> None:
    world = World()
    apply(world, CHAIN)
    assert not apply(world, CHANGED, UpdateOptions(excludes=(urn("b"),))).failed
    assert sorted(world.steps()) == [("same", "b"), ("update", "a"), ("update", "c"), ("update", "d")]
    assert not apply(world, CHANGED).failed and ("update", "b") in world.steps()


def test_what_depends_on_something_excluded_can_be_excluded_with_it() -> None:
    world = World()
    apply(world, CHAIN)
    apply(world, CHANGED, UpdateOptions(excludes=("**::b",), exclude_dependents=True))
    assert sorted(world.steps()) == [("same", "b"), ("same", "c"), ("update", "a"), ("update", "d")]


def test_what_is_excluded_is_not_deleted_nor_what_it_needs() -> None:
    world = World()
    apply(world, CHAIN)
    assert not world.destroy(UpdateOptions(excludes=(urn("b"),))).failed
    assert set(world.resources()) == {"a", "b"}


def test_a_destroy_can_leave_what_is_protected() -> None:
    world = World()
    apply(world, {**CHAIN, "b": Node((0,), protect=True)})
    assert world.destroy().failed and set(world.resources()) == {"a", "b"}
    apply(world, {**CHAIN, "b": Node((0,), protect=True)})
    assert not world.destroy(UpdateOptions(exclude_protected=True)).failed
    assert set(world.resources()) == {"a", "b"}
    assert not world.destroy(UpdateOptions(ignore_protect=True)).failed
    assert world.resources() == {} and world.provider.objects == {}


def test_a_new_resource_cannot_need_one_that_is_left_out() -> None:
    world = World()
    apply(world, {"d": Node()})
    assert apply(world, CHAIN, UpdateOptions(excludes=(urn("a"),))).failed
    assert world.messages()[0][0] == "b" and "left out" in world.messages()[0][1]
    assert set(world.resources()) == {"d"}


def test_an_excluded_resource_that_is_nowhere_is_refused() -> None:
    world = World()
    apply(world, CHAIN)
    assert world.destroy(UpdateOptions(excludes=(urn("z"),))).failed
    assert "is not in the stack" in world.messages()[0][1] and set(world.resources()) == set(CHAIN)


def test_a_resource_is_replaced_when_that_is_asked_for() -> None:
    world = World()
    apply(world, CHAIN)
    before = world.resources()
    world.provider.calls.clear()
    assert not apply(world, CHAIN, UpdateOptions(replaces=(urn("a"),))).failed
    assert world.provider.calls == [("create", "a"), ("update", "b"), ("delete", "a")]
    assert world.resources()["a"].id != before["a"].id
    assert set(apply(world, CHAIN).changes) == {"same"}


def test_a_resource_to_replace_must_be_there() -> None:
    world = World()
    apply(world, CHAIN)
    assert apply(world, CHANGED, UpdateOptions(replaces=(urn("z"),))).failed
    assert world.steps() == [] and urn("z") in world.messages()[0][1]


def test_a_tainted_resource_is_replaced_once() -> None:
    world = World()
    apply(world, CHAIN)
    with world.backend.begin(STACK, "update", SECRETS) as session:
        marked = [r.copy(extra={"taint": True}) if r.urn == urn("d") else r for r in session.base.resources]
        session.rewrite_base(replace(session.base, resources=marked))
        session.finish("succeeded", {})
    apply(world, CHAIN)
    assert ("replace", "d") in world.steps() and len(world.provider.objects) == 4
    assert set(apply(world, CHAIN).changes) == {"same"}


def test_a_creation_that_took_effect_can_be_taken_in() -> None:
    world = World()
    apply(world, {"a": Node()})
    known = world.resources()["a"]
    world.provider.objects["found-7"] = {"value": "1", "uses": [], "r_kind": "x", "generation": 1}
    lost = ResourceState(urn("n"), known.type, custom=True, inputs=known.inputs, provider=known.provider)
    with world.backend.begin(STACK, "update", SECRETS) as session:
        session.rewrite_base(replace(session.base, pending_operations=[PendingOperation(lost, "creating")]))
        session.finish("failed", {})
    assert not world.refresh(UpdateOptions(import_pending_creates={urn("n"): "found-7"})).failed
    assert world.resources()["n"].id == "found-7"
    assert world.backend.load(STACK, SECRETS).pending_operations == []
    assert set(apply(world, {"a": Node(), "n": Node()}).changes) == {"same"}
