"""Progress of long commands on stderr: a live table at a terminal, a line or a JSON object per event elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dataops.cli.forms import LogFormat, live, log_format
from dataops.cli.notices import notice_json

if TYPE_CHECKING:
    from rich.table import Table

    from dataops.envs.phases import PhaseEvent, PhaseSink


@contextmanager
def progress(quiet: bool = False) -> Iterator[PhaseSink]:
    """Shows phases while the block runs.

    Args:
        quiet: shows nothing but notes.
    """
    if log_format() is LogFormat.JSON:
        yield JsonPhases(quiet)
    elif live() and not quiet:
        with LivePhases().shown() as sink:
            yield sink
    else:
        yield PlainPhases(quiet)


class PlainPhases:
    """A line for each phase that begins, each thing that is made, each note."""

    def __init__(self, quiet: bool = False) -> None:
        self._began = time.monotonic()
        self._quiet = quiet
        self._gone = False

    def __call__(self, event: PhaseEvent) -> None:
        from dataops.envs.phases import Moment

        match event.moment:
            case Moment.STARTED if event.text:
                self._say(event.phase, event.text)
            case Moment.STEP:
                self._say(event.phase, f"{event.text} ({event.seconds:.2f} s)")
            case Moment.NOTE:
                self._say(event.phase, event.text, always=True)
            case Moment.FAILED:
                self._say(event.phase, f"failed after {event.seconds:.2f} s")
            case _:
                pass

    def _say(self, phase: str, text: str, always: bool = False) -> None:
        if self._gone or (self._quiet and not always):
            return
        try:
            click.echo(f"{time.monotonic() - self._began:6.2f} s  {phase:<12}  {text}", err=True)
        except BrokenPipeError:
            # Whoever read along has gone, as `head` does; that is no reason to stop half-way.
            self._gone = True


class JsonPhases:
    """An object per line for each event: time, phase, moment, text, seconds."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._gone = False

    def __call__(self, event: PhaseEvent) -> None:
        from dataops.envs.phases import Moment

        if self._gone or (self._quiet and event.moment is not Moment.NOTE):
            return
        facts = {"phase": event.phase, "moment": event.moment.value, "text": event.text}
        try:
            notice_json({**facts, "seconds": round(event.seconds, 3)})
        except BrokenPipeError:
            self._gone = True


class LivePhases:
    """A table of phases that is redrawn while they run."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._rows: dict[str, tuple[float, float | None, str, bool]] = {}

    @contextmanager
    def shown(self) -> Iterator[PhaseSink]:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        console = Console(stderr=True, force_terminal=True if log_format() is LogFormat.TTY else None)
        self._spinner = Spinner("dots", style="cyan")
        with Live(console=console, get_renderable=self._table, refresh_per_second=12, transient=True) as live:

            def sink(event: PhaseEvent) -> None:
                from dataops.envs.phases import Moment

                if event.moment is Moment.NOTE:
                    live.console.print(f"[dim]{event.phase}[/dim] {_plain(event.text)}", highlight=False)
                else:
                    self._follow(event)

            yield sink

    def _follow(self, event: PhaseEvent) -> None:
        from dataops.envs.phases import Moment

        began, _, text, failed = self._rows.get(event.phase, (time.monotonic(), None, "", False))
        over = event.moment in (Moment.FINISHED, Moment.FAILED)
        self._rows[event.phase] = (
            began,
            event.seconds if over else None,
            event.text or text,
            failed or event.moment is Moment.FAILED,
        )

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for phase, (began, ended, text, failed) in list(self._rows.items()):
            outcome = Text("✗", "red") if failed else Text("✓", "green")
            mark = self._spinner if ended is None else outcome
            seconds = time.monotonic() - began if ended is None else ended
            table.add_row(mark, Text(phase), Text(f"{seconds:.1f} s", "dim"), Text(text, "dim"))
        return table


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
