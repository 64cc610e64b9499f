"""Pieces of a snapshot are made while those before are used."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dataops.snapshots.ahead import ahead


def test_the_next_piece_is_made_while_one_is_used_and_they_keep_their_order() -> None:
    begun = [threading.Event() for _ in range(5)]

    def pieces() -> Iterator[int]:
        for number in range(4):
            begun[number].set()
            yield number
        begun[4].set()

    seen = []
    for number in ahead(pieces()):
        assert begun[number + 1].wait(60)
        seen.append(number)
    assert seen == [0, 1, 2, 3]


def test_what_making_a_piece_raises_comes_in_its_place() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"first"
        raise ValueError("second")

    found = ahead(pieces())
    assert next(found) == b"first"
    with pytest.raises(ValueError, match="second"):
        next(found)


def test_who_stops_half_way_leaves_no_thread() -> None:
    found = ahead(iter([1, 2, 3]))
    assert next(found) == 1
    found.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
