"""`refresh --run-program` and `up --refresh --run-program`: what the program registers is read as it configures it."""

from __future__ import annotations

from dataclasses import replace

from dataops.infra.engine.options import UpdateOptions
from support.engine_world import World
from support.graph_program import Node, apply

RUN = UpdateOptions(run_program=True)
GRAPH = {"p": Node(provider=True), "a": Node(by=0), "g": Node(component=True), "b": Node((1,), parent=2)}


def world_of(graph: dict[str, Node]) -> World:
    world = World()
    assert not apply(world, graph).failed
    world.provider.calls.clear()
    return world


def id_of(world: World, name: str) -> str:
    return world.resources()[name].id


def test_a_refresh_reads_what_the_program_registers_and_what_it_does_not() -> None:
    world = world_of({**GRAPH, "c": Node()})
    world.provider.objects[id_of(world, "a")]["value"] = "drifted"
    del world.provider.objects[id_of(world, "c")]
    result = apply(world, GRAPH, RUN, kind="refresh")
    assert not result.failed and (result.changes["update"], result.changes["delete"]) == (1, 1)
    assert sorted(world.provider.calls) == [("read", "a"), ("read", "b"), ("read", "c")]
    assert world.resources()["a"].outputs["value"] == "drifted"
    assert sorted(world.resources()) == ["a", "b", "g"]


def test_a_refresh_takes_the_provider_as_the_program_configures_it_and_makes_no_resource() -> None:
    world = world_of(GRAPH)
    result = apply(world, {**GRAPH, "p": Node(provider=True, value="2"), "n": Node(by=0)}, RUN, kind="refresh")
    assert not result.failed and world.providers()["p"].inputs["zone"] == "2"
    assert sorted(world.resources()) == ["a", "b", "g"]


def test_a_refresh_records_the_options_that_the_program_gives() -> None:
    world = world_of(GRAPH)
    assert not apply(world, {**GRAPH, "a": Node(by=0, protect=True, value="9")}, RUN, kind="refresh").failed
    assert world.resources()["a"].protect
    assert world.resources()["a"].inputs["value"] == "1", "what the program wants is for the next update"


def test_a_preview_of_a_refresh_changes_nothing() -> None:
    world = world_of(GRAPH)
    world.provider.objects[id_of(world, "a")]["value"] = "drifted"
    result = apply(world, GRAPH, RUN, preview=True, kind="refresh")
    assert result.changes["update"] == 1 and world.resources()["a"].outputs["value"] == "1"


def test_what_depends_on_something_that_is_gone_no_longer_names_it() -> None:
    world = world_of(GRAPH)
    del world.provider.objects[id_of(world, "a")]
    assert not apply(world, GRAPH, RUN, kind="refresh").failed
    assert world.resources()["b"].dependencies == []
    assert not apply(world, GRAPH).failed
    assert world.resources()["b"].dependencies == [world.resources()["a"].urn]


def test_an_update_reads_each_resource_before_it_plans_for_it() -> None:
    world = world_of({**GRAPH, "c": Node()})
    world.provider.objects[id_of(world, "a")]["value"] = "drifted"
    del world.provider.objects[id_of(world, "b")]
    result = apply(world, GRAPH, replace(RUN, refresh=True))
    assert not result.failed
    assert result.changes == {"same": 2, "update": 1, "create": 1, "delete": 1}
    assert world.provider.objects[id_of(world, "a")]["value"] == "1"
    assert world.provider.objects[id_of(world, "b")]["uses"] == [id_of(world, "a")]
    assert ("read", "c") not in world.provider.calls, "what goes anyway is not read"
    assert set(apply(world, GRAPH).changes) == {"same"}


def test_what_is_replaced_after_it_was_read_is_deleted_in_the_end() -> None:
    world = world_of({"a": Node()})
    before = id_of(world, "a")
    assert not apply(world, {"a": Node(kind="y")}, replace(RUN, refresh=True)).failed
    assert list(world.provider.objects) == [id_of(world, "a")] != [before]
    assert set(apply(world, {"a": Node(kind="y")}).changes) == {"same"}


def test_what_cannot_be_read_stops_the_operation() -> None:
    world = world_of(GRAPH)
    for kind in ("refresh", "update"):
        world.provider.unreadable = {id_of(world, "a")}
        assert apply(world, GRAPH, replace(RUN, refresh=True), kind=kind).failed
        assert ("a", "read of a refused") in world.messages()
        world.provider.unreadable = set()
        assert sorted(world.resources()) == ["a", "b", "g"]
        assert set(apply(world, GRAPH).changes) == {"same"}
