"""What is asked for at the same time is begun in the order in which it was asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dataops.infra.engine.turns import Turn, Turns


@contextmanager
def side_by_side(do: Callable[[Turn, str], None], *each: tuple[Turn, str]) -> Iterator[None]:
    """Does something for each in a thread of its own, and waits for them at the end of the block."""
    threads = [threading.Thread(target=do, args=one) for one in each]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def test_nothing_is_begun_before_what_came_earlier_is_planned() -> None:
    turns = Turns()
    begun: list[str] = []
    first, second, third = (turns.take() for _ in range(3))

    def go(turn: Turn, name: str) -> None:
        turn.wait()
        begun.append(name)

    with side_by_side(go, (third, "third"), (second, "second")):
        begun.append("first is planned")
        first.wait()
    assert begun[0] == "first is planned"
    assert sorted(begun[1:]) == ["second", "third"]


def test_what_is_refused_stops_others_only_when_what_came_earlier_has_begun() -> None:
    turns = Turns()
    told: list[str] = []
    first, second = turns.take(), turns.take()

    def refuse() -> None:
        second.give_up()
        told.append("second is refused")

    thread = threading.Thread(target=refuse)
    thread.start()
    first.wait()
    told.append("first has begun")
    first.begin()
    thread.join()
    assert told == ["first has begun", "second is refused"]


def test_a_turn_may_be_ended_more_than_once_and_what_has_none_waits_for_nothing() -> None:
    turns = Turns()
    with turns.take() as turn:
        turn.wait()
        turns.skip().wait()
        turns.skip().give_up()
        turn.end()
    turns.take().give_up()


def test_a_plan_that_depends_on_others_is_made_after_those_that_came_earlier_and_before_later_ones() -> None:
    turns = Turns()
    told: list[str] = []
    first, second, third = (turns.take() for _ in range(3))
    first.wait_for_earlier()

    def plan(turn: Turn, name: str) -> None:
        turn.wait_for_earlier()
        told.append(name)
        turn.wait()

    with side_by_side(plan, (third, "third"), (second, "second")):
        told.append("first")
        first.wait()
    assert told == ["first", "second", "third"]
