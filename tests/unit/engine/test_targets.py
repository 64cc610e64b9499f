"""`--target` and `--target-dependents`; plugins; imports of what differs; numbers that no state can hold."""

from __future__ import annotations

import pytest

from dataops.infra.engine.options import UpdateOptions
from dataops.infra.errors import ResourceError
from dataops.infra.providers import wire
from support.engine_world import World

A, B = (f"urn:pulumi:dev::world::world:index:Thing::{name}" for name in "ab")


@pytest.mark.slow
def test_a_target_may_take_what_depends_on_it_along() -> None:
    world = World()
    world.up("steps.py", step="chain")
    assert not world.up("steps.py", UpdateOptions(targets=(A,)), step="chain 2").failed
    assert world.steps() == [("update", "a"), ("same", "b")]
    world = World()
    world.up("steps.py", step="chain")
    world.up("steps.py", UpdateOptions(targets=(A,), target_dependents=True), step="chain 2")
    assert world.steps() == [("update", "a"), ("update", "b")]


@pytest.mark.slow
def test_a_target_that_is_nowhere_is_refused() -> None:
    world = World()
    world.up("steps.py", step="chain")
    assert world.up("steps.py", UpdateOptions(targets=(A + "nother",)), step="chain").failed
    assert "is not in the stack" in world.messages()[0][1]


@pytest.mark.slow
def test_what_is_no_target_keeps_its_place_when_others_are_deleted() -> None:
    world = World()
    world.up("steps.py", step="chain")
    assert not world.destroy(UpdateOptions(targets=(B,))).failed
    assert world.steps() == [("same", "a"), ("delete", "b")]
    assert set(world.resources()) == {"a"}


@pytest.mark.slow
def test_what_is_imported_is_then_made_what_the_program_says() -> None:
    world = World()
    world.provider.objects["outside-1"] = {"value": "otherwise", "generation": 1}
    assert not world.up("steps.py", step="imports").failed
    assert world.steps() == [("import", "adopted"), ("update", "adopted")]
    assert world.provider.objects["outside-1"]["value"] == "there"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_have_is_refused(number: float) -> None:
    with pytest.raises(ResourceError, match="cannot be a property"):
        wire.from_struct(wire.to_struct({"value": number}))
