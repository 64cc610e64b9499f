"""Update plans: made by a preview, kept in a file, and held to by an update."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataops.infra.engine.options import UpdateOptions
from dataops.infra.engine.plan import Plan
from dataops.infra.engine.plan_file import read_plan, write_plan
from dataops.infra.errors import ConfigurationError
from dataops.infra.resources.values import Secret
from support.engine_world import SECRETS, World
from support.graph_program import Node, apply

CHAIN = {"a": Node(), "b": Node((0,)), "gone": Node()}
NEXT = {"a": Node(value="2"), "b": Node((0,), kind="y"), "new": Node()}


def planned(world: World, nodes: dict[str, Node]) -> Plan:
    plan = apply(world, nodes, UpdateOptions(make_plan=True), preview=True).plan
    assert plan is not None
    return plan


def started() -> World:
    world = World()
    apply(world, CHAIN)
    return world


def test_an_update_that_does_what_was_planned_goes_through() -> None:
    world = started()
    plan = planned(world, NEXT)
    assert set(world.resources()) == set(CHAIN)
    assert not apply(world, NEXT, UpdateOptions(plan=plan)).failed, world.messages()
    assert set(world.resources()) == set(NEXT)


@pytest.mark.parametrize(
    ("otherwise", "told"),
    [
        ({**NEXT, "a": Node(value="3")}, ["'a': it violates the plan", "value = 3, planned 2"]),
        ({**NEXT, "more": Node()}, ["'more': create is not in the plan, which has no steps for it"]),
        ({**NEXT, "gone": Node()}, ["'gone': it violates the plan: the plan deletes it"]),
        ({**NEXT, "new": Node(protect=True)}, ["'new': it violates the plan: protect is not what was planned"]),
        ({name: node for name, node in NEXT.items() if name != "new"}, ["nothing was done with it"]),
    ],
)
def test_what_was_not_planned_is_refused(otherwise: dict[str, Node], told: list[str]) -> None:
    world = started()
    plan = planned(world, NEXT)
    assert apply(world, otherwise, UpdateOptions(plan=plan, parallel=1)).failed
    said = "\n".join(message for _, message in world.messages())
    assert all(text in said for text in told), said


def test_a_deletion_that_was_not_planned_is_refused() -> None:
    world = started()
    plan = planned(world, {"a": Node(), "b": Node((0,)), "gone": Node(), "new": Node()})
    assert apply(world, {"a": Node(), "b": Node((0,)), "new": Node()}, UpdateOptions(plan=plan)).failed
    assert "gone" in world.resources()
    assert any("delete is not in the plan" in message for _, message in world.messages())


def test_less_than_was_planned_is_no_harm() -> None:
    world, nodes = started(), {**NEXT, "b": Node((0,), value="2")}
    plan = planned(world, nodes)
    apply(world, nodes)
    result = apply(world, nodes, UpdateOptions(plan=plan))
    assert not result.failed, world.messages()
    assert set(result.changes) == {"same"}


def test_a_plan_survives_its_file_and_shows_no_secret(tmp_path: Path) -> None:
    world = started()
    plan = planned(world, {**NEXT, "new": replace(NEXT["new"], secret="hunter2-planted")})
    file = tmp_path / "plan.json"
    write_plan(file, plan, {"world:password": Secret("hunter3-planted"), "world:step": "1"}, SECRETS)
    assert "planted" not in file.read_text() and '"resourcePlans"' in file.read_text()
    assert read_plan(file, SECRETS) == plan
    write_plan(file, plan, {}, SECRETS, show_secrets=True)
    assert "hunter2-planted" in file.read_text()
    assert read_plan(file, SECRETS) == plan


def test_a_file_that_is_no_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_plan(tmp_path / "none.json", SECRETS)
    (tmp_path / "other.json").write_text('{"resourcePlans": {"urn": {"goal": {"type": "x"}}}}')
    with pytest.raises(ConfigurationError, match="no update plan"):
        read_plan(tmp_path / "other.json", SECRETS)
