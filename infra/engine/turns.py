"""Turns: what is asked for at the same time is begun in the order in which it was asked for.

Goals are planned side by side, but none is performed before those that came earlier are planned: one that cannot be
stops the deployment, and nothing that was asked for after it may happen then, however long its provider took to say so.
"""

from __future__ import annotations

import threading
from collections import deque


class Turn:
    """One place in the row."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.ended = False
        self.reached = threading.Event()

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, *raised: object) -> None:
        self.end()

    def end(self) -> None:
        """Lets those that came later go ahead of what is still to be done; more than once does no harm."""
        self._turns.end(self)

    def wait(self) -> None:
        """Ends the turn, and waits until all earlier ones have been ended."""
        self.end()
        self.reached.wait()


class Turns:
    """The row of those that are not ended, first come first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._row: deque[Turn] = deque()

    def take(self) -> Turn:
        """A turn after all that were taken before."""
        turn = Turn(self)
        with self._lock:
            self._row.append(turn)
        return turn

    def end(self, turn: Turn) -> None:
        """Ends a turn; whose turn has come by that goes on."""
        with self._lock:
            turn.ended = True
            while self._row and self._row[0].ended:
                self._row.popleft().reached.set()
