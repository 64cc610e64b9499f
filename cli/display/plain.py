"""The display for pipes, files and continuous integration: one line per step as it happens."""

from __future__ import annotations

import time

import click

from dataops.cli.display.diff import diff_lines
from dataops.cli.display.model import DisplayOptions, Progress, Row
from dataops.cli.display.summary import count_lines, duration_line, message_lines, output_lines
from dataops.cli.display.words import TITLES, duration, printable, words_of
from dataops.infra.events.engine_events import Event
from dataops.infra.resources.urn import name_of


def step_line(row: Row, planning: bool, now: float) -> str:
    """One step as a line: mark, type, name, verb, and how long it has taken."""
    metadata, words = row.metadata, words_of(row.metadata.op)
    if row.state == "failed":
        verb = f"{words.doing} failed"
    elif planning:
        verb = words.plan
    else:
        verb = words.doing if row.state == "running" else words.done
    took = f" ({duration(row.seconds(now))})" if verb and not planning and row.state != "running" else ""
    changed = f" [diff: {', '.join(f'~{printable(name)}' for name in names)}]" if (names := row.changed()) else ""
    mark = click.style(f"{words.mark:>2}", fg=words.color or None)
    return f" {mark} {printable(metadata.type)} {printable(name_of(metadata.urn))} {verb}{took}{changed}".rstrip()


class PlainDisplay:
    """Prints a line when a step begins and when it ends; a preview has only the first."""

    def __init__(self, options: DisplayOptions) -> None:
        self.options = options
        self.progress = Progress(options.planning)
        click.echo(f"{TITLES[options.kind, options.planning]} ({options.stack}):", err=True)

    def receive(self, event: Event) -> None:
        row = self.progress.receive(event)
        if row is None or self.options.suppress_progress and not self.options.diff:
            return
        if not (self.progress.shown(row) or self.options.show_sames):
            return
        if self.options.planning and row.state == "done" and not row.refreshing:
            return
        if row.refreshing and row.state == "running":
            # Most refreshes find nothing; those that do say so at their end.
            return
        if self.options.diff:
            if row.state == "running" or row.refreshing:
                click.echo("\n".join(diff_lines(row.metadata, row.refreshing)), err=True)
            return
        click.echo(step_line(row, self.options.planning, time.monotonic()), err=True)

    def close(self) -> None:
        print_end(self.progress, self.options)


def print_end(progress: Progress, options: DisplayOptions) -> None:
    """Messages to stderr, then outputs, counts and duration to stdout."""
    if lines := message_lines(progress.messages):
        click.echo("\n".join(lines), err=True)
    results: list[str] = []
    if not options.suppress_outputs:
        results += output_lines(progress.outputs_before, progress.outputs_after)
    if progress.changes is not None:
        results += count_lines(progress.changes, options.planning)
        if not options.planning:
            results.append(duration_line(progress.seconds))
    if results:
        click.echo("\n".join(results))
