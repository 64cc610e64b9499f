"""The display for a terminal: a tree of what changes, redrawn a few times a second until the operation ends."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from dataops.cli.display.layout import Line, fit, is_custom, narrowed, tree_order
from dataops.cli.display.model import DisplayOptions, Progress, Row
from dataops.cli.display.plain import print_end
from dataops.cli.display.words import TITLES, duration, printable, words_of
from dataops.infra.events.engine_events import Event
from dataops.infra.resources.urn import name_of

# The engine shares the processor with the display, so it is redrawn seldom.
REDRAWS_PER_SECOND = 6


class LiveDisplay:
    """Draws on stderr while events come in; what is drawn last stays on the screen."""

    def __init__(self, options: DisplayOptions, console: Console | None = None) -> None:
        self.options = options
        self.progress = Progress(options.planning)
        self._console = console or Console(stderr=True, highlight=False)
        self._spinner = Spinner("dots")
        self._began = time.monotonic()
        self._final = False
        self._live = Live(
            get_renderable=self.render,
            console=self._console,
            refresh_per_second=REDRAWS_PER_SECOND,
            vertical_overflow="crop",
        )
        self._live.start()

    def receive(self, event: Event) -> None:
        self.progress.receive(event)

    def close(self) -> None:
        self._final = True
        self._live.stop()
        print_end(self.progress, self.options)

    def render(self) -> RenderableType:
        """The tree as it is now; while it is being redrawn no taller than the terminal."""
        now = time.monotonic()
        # The engine adds rows from another thread while this one draws.
        rows = list(self.progress.rows.values())
        ordered = tree_order([row for row in rows if self.options.show_sames or self.progress.shown(row)])
        hidden = 0
        if not self._final:
            room = max(self._console.height - 4, 3)
            ordered, hidden = fit(ordered, room)
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        lines = [self._line(row, depth, now) for row, depth in ordered]
        for line in narrowed(lines, self._console.width):
            table.add_row(*line)
        title = Text(f"{TITLES[self.options.kind, self.options.planning]} ({self.options.stack})", style="bold")
        if not self._final:
            title.append(f"  {', '.join([duration(now - self._began), *_counts(rows)])}", style="dim")
        tail = [Text(f"    and {hidden} more", style="dim")] if hidden else []
        return Group(title, table, *tail)

    def _line(self, row: Row, depth: int, now: float) -> Line:
        words, planning = words_of(row.metadata.op), self.options.planning
        running = row.state == "running" and not planning and not self._final
        if row.state == "failed":
            status = Text(f"{words.doing} failed", style="bold red")
        else:
            # Components never report an end of their own: they are done when the operation is.
            verb = words.plan if planning else words.doing if running else words.done
            status = Text(verb, style=words.color)
        took = "" if planning or not status.plain else duration(row.seconds(now))
        changed = ", ".join(f"~{printable(name)}" for name in row.changed())
        return Line(
            self._spinner if running else Text("✗" if row.state == "failed" else words.mark, style=words.color),
            Text("  " * depth + printable(row.metadata.type)),
            Text(printable(name_of(row.metadata.urn)), style="bold"),
            status,
            Text(took, style="dim"),
            Text(f"[diff: {changed}]" if changed else "", style="dim"),
        )


def _counts(rows: list[Row]) -> Iterator[str]:
    """What there is; components are under way as long as their children, so they are not counted as that."""
    failed = sum(row.state == "failed" for row in rows)
    running = sum(row.state == "running" and is_custom(row) for row in rows)
    yield f"{len(rows)} resources"
    if failed:
        yield f"{failed} failed"
    yield f"{running} under way"
