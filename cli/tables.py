"""Results on stdout: documents and tables, in the form that `-o` asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from dataops.cli.forms import Output, output


def print_json(value: Any) -> None:
    """A document: YAML where that was asked for, else JSON, indented."""
    if output() is Output.YAML:
        print_yaml(value)
    else:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_yaml(value: Any) -> None:
    """A document of JSON's types as YAML, keys in their order."""
    import io

    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 1_000_000
    yaml.representer.ignore_aliases = lambda data: True
    text = io.StringIO()
    yaml.dump(json.loads(json.dumps(value)), text)
    click.echo(text.getvalue().removesuffix("...\n"), nl=False)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Columns as wide as their widest cell, the last one not padded; or a table of GitHub's Markdown."""
    if output() is Output.MD:
        if indent:
            click.echo()  # it follows a line of text, which Markdown would take for a part of it
        _print_markdown(headings, rows)
        return
    lines = [headings, *([_on_one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in lines) for column in range(len(headings))]
    for row in lines:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo(indent + "  ".join(cells).rstrip())


def print_facts(facts: Iterable[tuple[str, str]], headings: tuple[str, str] = ("Fact", "Value")) -> None:
    """Labels and values, one line each; in Markdown a table of two columns."""
    rows = list(facts)
    if output() is Output.MD:
        click.echo()
        _print_markdown(headings, rows)
        return
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        click.echo(f"  {label:<{max(width, 10)}} {value}")


def iso(seconds: float) -> str:
    """Seconds since 1970 as `2026-01-02T03:04:05.678Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def ago(then: float, now: float) -> str:
    """How long ago that was, in the largest unit that fits."""
    passed = max(int(now - then), 0)
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if passed >= size:
            count = passed // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "now"


def _print_markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    click.echo(f"| {' | '.join(headings)} |")
    click.echo(f"|{' --- |' * len(headings)}")
    for row in rows:
        click.echo(f"| {' | '.join(_cell(cell) for cell in row)} |")
    click.echo()


def _on_one_line(text: str) -> str:
    """A text that breaks no row, whatever somebody put into it."""
    return text if text.isprintable() else " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _cell(text: str) -> str:
    """A text that stays within its cell."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "<br>")
