"""Time, as the runner sees it: passed in, so that tests can have days go by at once."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The time of day, which may jump, and waiting, which it does not affect."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def wait(self, seconds: float) -> None:
        """Lets so much time pass, or less when something happens."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)
