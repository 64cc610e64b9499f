"""The order of steps follows from what they read, write and need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops.infra.platform.graph import find_cycle, ordered_steps, predecessors, waves
from dataops.infra.platform.pipelines import Pipeline


def pipeline(**steps: dict[str, list[str]]) -> Pipeline:
    return Pipeline.model_validate({"steps": [{"name": n, "run": ["true"], **s} for n, s in steps.items()]})


def test_a_step_follows_the_maker_of_its_input() -> None:
    found = pipeline(b={"inputs": ["lake:x"]}, a={"outputs": ["lake:x"]})
    assert [step.name for step in ordered_steps(found)] == ["a", "b"]


def test_independent_steps_share_a_wave() -> None:
    found = pipeline(a={}, b={}, c={"needs": ["a", "b"]})
    assert [[step.name for step in wave] for wave in waves(found)] == [["a", "b"], ["c"]]


def test_a_step_that_reads_what_it_writes_does_not_wait_for_itself() -> None:
    found = pipeline(a={"inputs": ["lake:x"], "outputs": ["lake:x"]})
    assert predecessors(found) == {"a": set()}


def test_a_cycle_is_named_in_the_order_of_waiting() -> None:
    found = pipeline(z={}, a={"needs": ["c"]}, b={"needs": ["a"]}, c={"needs": ["b"]})
    assert find_cycle(found) == ["a", "b", "c", "a"]
    with pytest.raises(ValueError, match="a → b → c → a"):
        waves(found)


def test_a_step_behind_a_cycle_is_not_part_of_it() -> None:
    found = pipeline(late={"needs": ["b"]}, a={"needs": ["b"]}, b={"needs": ["a"]})
    assert set(find_cycle(found)) == {"a", "b"}


@given(st.lists(st.sets(st.integers(0, 7)), min_size=1, max_size=8))
def test_either_every_step_follows_what_it_needs_or_there_is_a_cycle(needs: list[set[int]]) -> None:
    names = [f"s{i}" for i in range(len(needs))]
    steps = {name: {"needs": [f"s{n}" for n in sorted(need)]} for name, need in zip(names, needs, strict=True)}
    found = pipeline(**steps)
    if cycle := find_cycle(found):
        before = predecessors(found)
        assert cycle[0] == cycle[-1]
        assert all(earlier in before[later] for earlier, later in zip(cycle, cycle[1:], strict=False))
    else:
        done: list[str] = []
        for step in ordered_steps(found):
            assert predecessors(found)[step.name] <= set(done)
            done.append(step.name)
        assert sorted(done) == sorted(names)
