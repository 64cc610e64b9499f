"""Which displays an operation gets, and how one stream of events reaches all of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from dataops.cli.display.model import DisplayOptions
from dataops.infra.events.engine_events import Event, EventSink


class Display(Protocol):
    """Shows one operation."""

    def receive(self, event: Event) -> None:
        """Takes in one event; called by one thread at a time."""
        ...

    def close(self) -> None:
        """The operation has ended, well or not."""
        ...


class Quiet:
    """Shows nothing."""

    def receive(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass


def choose_display(options: DisplayOptions, as_json: bool) -> Display:
    """JSON where it was asked for, a live tree on a terminal, plain lines elsewhere."""
    if as_json:
        from dataops.cli.display.machine import EventStream, PreviewDigest

        return PreviewDigest(options.show_sames) if options.planning else EventStream()
    if not options.suppress_progress and not options.diff and _can_redraw():
        from dataops.cli.display.live import LiveDisplay

        return LiveDisplay(options)
    from dataops.cli.display.plain import PlainDisplay

    return PlainDisplay(options)


@contextmanager
def showing(displays: Sequence[Display], logs: Sequence[Display] = ()) -> Iterator[EventSink]:
    """A sink that hands every event to all logs, and those that users may see to all displays.

    Displays are closed at the end, whatever happens.
    """

    def receive(event: Event) -> None:
        for log in logs:
            log.receive(event)
        metadata = getattr(event, "metadata", None)
        if metadata is None or not metadata.internal:
            for display in displays:
                display.receive(event)

    try:
        yield receive
    finally:
        for display in displays:
            display.close()


def open_event_log(path: Path) -> Display:
    """The display that writes an event log."""
    from dataops.cli.display.machine import EventLog

    return EventLog(path)


def _can_redraw() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
