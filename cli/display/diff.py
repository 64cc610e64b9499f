"""`--diff`: the properties of a step, old against new, as an indented block."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import click

from dataops.cli.display.model import INTERNAL
from dataops.cli.display.summary import show
from dataops.cli.display.words import printable, words_of
from dataops.infra.events.engine_events import StepMetadata

_SECRET = "[secret]"
_SHORT = 60
"""Characters of a list that is still shown on one line, old and new."""


def diff_lines(metadata: StepMetadata, found: bool = False) -> list[str]:
    """The block for one step: what it is, then each input with its mark.

    Args:
        found: it is what a refresh has found, which is told by the outputs: few providers read inputs.
    """
    words = words_of(metadata.op)
    mark = click.style(f"{words.mark:>2}", fg=words.color or None)
    lines = [f" {mark} {printable(metadata.type)}: ({metadata.op})"]
    if id_ := (metadata.new and metadata.new.id) or (metadata.old and metadata.old.id):
        lines.append(f"      [id={printable(id_)}]")
    lines.append(f"      [urn={printable(metadata.urn)}]")
    sides = (metadata.old, metadata.new)
    old, new = ({} if side is None else side.outputs if found else side.inputs for side in sides)
    if metadata.op in ("delete", "delete-replaced"):
        old, new = old, {}
    elif metadata.op in ("create", "create-replacement"):
        old = old if metadata.op == "create-replacement" else {}
    pruned = [{k: v for k, v in side.items() if k not in INTERNAL} for side in (old, new)]
    hidden = frozenset(path.partition(".")[0].partition("[")[0] for path in metadata.hidden)
    return [*lines, *_mapping(pruned[0], pruned[1], "      ", hidden, frozenset(metadata.diffs))]


def _mapping(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    indent: str,
    hidden: frozenset[str] = frozenset(),
    told: frozenset[str] = frozenset(),
) -> Iterator[str]:
    """The lines of properties.

    Args:
        hidden: of these it is said that they change, not how.
        told: these are known to change, also where both values are secret and look alike.
    """
    width = max((len(printable(key)) for key in (*old, *new)), default=0)
    for key in sorted({*old, *new}):
        label = f"{printable(key):<{width}}"
        if key not in new:
            yield click.style(f"{indent}- {label}: {show(old[key])}", fg="red")
        elif key not in old:
            yield click.style(f"{indent}+ {label}: {show(new[key])}", fg="green")
        elif old[key] == new[key] and not (key in told and new[key] == _SECRET):
            yield f"{indent}  {label}: {show(new[key])}"
        elif key in hidden:
            yield click.style(f"{indent}~ {label}: [hidden]", fg="yellow")
        else:
            yield from _change(label, old[key], new[key], indent)


def _change(label: str, old: Any, new: Any, indent: str) -> Iterator[str]:
    """The lines of one property that changes: as deep as both sides are alike, else old and new on one line."""
    note, inner = "", indent + "    "
    if isinstance(old, str) and isinstance(new, str):
        before, after = _parsed(old), _parsed(new)
        if type(before) is type(after) and before != after and isinstance(before, (dict, list)):
            old, new, note = before, after, " (json)"
    lines: Iterator[str] | None = None
    if isinstance(old, dict) and isinstance(new, dict):
        lines = _mapping(old, new, inner)
    elif isinstance(old, list) and isinstance(new, list) and max(len(show(old)), len(show(new))) > _SHORT:
        lines = _items(old, new, inner)
    elif isinstance(old, str) and isinstance(new, str) and "\n" in old.strip("\n") + new.strip("\n"):
        lines = _text(old, new, inner)
    if lines is None:
        yield click.style(f"{indent}~ {label}: {show(old)} => {show(new)}", fg="yellow")
        return
    yield click.style(f"{indent}~ {label.rstrip()}:{note}", fg="yellow")
    yield from lines


def _items(old: Sequence[Any], new: Sequence[Any], indent: str) -> Iterator[str]:
    """The lines of a list: what stays is left out, since its place says nothing about a change."""
    for index in range(max(len(old), len(new))):
        label = f"[{index}]"
        if index >= len(new):
            yield click.style(f"{indent}- {label}: {show(old[index])}", fg="red")
        elif index >= len(old):
            yield click.style(f"{indent}+ {label}: {show(new[index])}", fg="green")
        elif old[index] != new[index]:
            yield from _change(label, old[index], new[index], indent)


def _text(old: str, new: str, indent: str) -> Iterator[str]:
    """The lines of a text that differ, with one line around them."""
    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), lineterm="", n=1)
    for line in list(lines)[3:]:
        color = {"-": "red", "+": "green"}.get(line[0])
        shown = "  ..." if line[0] == "@" else f"{line[0]} {printable(line[1:])}"
        yield click.style(f"{indent}{shown}", fg=color)


def _parsed(text: str) -> Any:
    """What a text holds as JSON; None when it holds no object or list."""
    if text[:1] in ("{", "["):
        with suppress(ValueError):
            return json.loads(text)
    return None
