"""Turns: what is asked for at the same time is begun in the order in which it was asked for.

Goals are planned side by side, but none is begun before those that came earlier are planned, and one that cannot be
planned stops the deployment only when those have begun: whatever was asked for before it happens, and nothing after it,
however long a provider took to say so. Where one plan depends on others, as in a cascade of deletions, it is made after
those of what came earlier.
"""

from __future__ import annotations

import threading
from collections import deque


class Turn:
    """One place in both rows."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._planned = turns.planning.enter()
        self._begun = turns.beginning.enter()

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, *raised: object) -> None:
        self.end()

    def wait(self) -> None:
        """Says that this is planned, and waits until everything earlier is."""
        self._turns.planning.leave(self._planned)
        self.wait_for_earlier()

    def wait_for_earlier(self) -> None:
        """Waits until everything earlier is planned: this may depend on how."""
        self._planned.first.wait()

    def begin(self) -> None:
        """Says that this has begun; more than once does no harm."""
        self._turns.beginning.leave(self._begun)

    def end(self) -> None:
        """Says that nobody needs to wait for this; more than once does no harm."""
        self._turns.planning.leave(self._planned)
        self._turns.beginning.leave(self._begun)

    def give_up(self) -> None:
        """Ends the turn, and waits until everything earlier has begun or ended."""
        self.end()
        self._begun.first.wait()


class Turns:
    """Those that are not planned, and those that have not begun, first come first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.planning = _Row()
        self.beginning = _Row()

    def take(self) -> Turn:
        """A turn after all that were taken before."""
        with self._lock:
            return Turn(self)

    def skip(self) -> Turn:
        """The turn of what waits for nothing, and nothing waits for: others cannot be planned without it."""
        return Turn(Turns())


class _Place:
    def __init__(self) -> None:
        self.left = False
        self.first = threading.Event()


class _Row:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: deque[_Place] = deque()

    def enter(self) -> _Place:
        place = _Place()
        with self._lock:
            self._places.append(place)
            self._places[0].first.set()
        return place

    def leave(self, place: _Place) -> None:
        """Leaves a place; whoever is behind nobody else by that goes on."""
        with self._lock:
            place.left = True
            while self._places and self._places[0].left:
                self._places.popleft().first.set()
            if self._places:
                self._places[0].first.set()
