"""What is asked for at the same time is begun in the order in which it was asked for."""

from __future__ import annotations

import threading

from dataops.infra.engine.turns import Turns


def test_nothing_goes_ahead_of_what_came_earlier_and_is_still_planned() -> None:
    turns, begun = Turns(), []
    first, second, third = (turns.take() for _ in range(3))

    def go(turn: object, name: str) -> None:
        turn.wait()  # type: ignore[attr-defined]
        begun.append(name)

    threads = [threading.Thread(target=go, args=(turn, name)) for turn, name in ((third, "third"), (second, "second"))]
    for thread in threads:
        thread.start()
    assert not second.reached.is_set() and not third.reached.is_set()
    begun.append("first is refused")
    first.end()
    for thread in threads:
        thread.join()
    assert begun[0] == "first is refused"
    assert sorted(begun[1:]) == ["second", "third"]


def test_a_turn_may_be_ended_more_than_once() -> None:
    turns = Turns()
    with turns.take() as turn:
        turn.wait()
        turn.end()
    turns.take().wait()
