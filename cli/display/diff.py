"""`--diff`: the properties of a step, old against new, as an indented block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from dataops.cli.display.summary import show
from dataops.cli.display.words import printable, words_of
from dataops.infra.events.engine_events import StepMetadata


def diff_lines(metadata: StepMetadata) -> list[str]:
    """The block for one step: what it is, then each input with its mark."""
    words = words_of(metadata.op)
    mark = click.style(f"{words.mark:>2}", fg=words.color or None)
    lines = [f" {mark} {printable(metadata.type)}: ({metadata.op})"]
    state = metadata.new or metadata.old
    if state and state.id:
        lines.append(f"      [id={printable(state.id)}]")
    lines.append(f"      [urn={printable(metadata.urn)}]")
    old = metadata.old.inputs if metadata.old else {}
    new = metadata.new.inputs if metadata.new else {}
    if metadata.op in ("delete", "delete-replaced"):
        old, new = old, {}
    elif metadata.op in ("create", "create-replacement"):
        old = old if metadata.op == "create-replacement" else {}
    hidden = {"__provider", "__internal", "__defaults"}
    pruned = [{k: v for k, v in side.items() if k not in hidden} for side in (old, new)]
    tops = frozenset(path.partition(".")[0].partition("[")[0] for path in metadata.hidden)
    return [*lines, *_mapping(pruned[0], pruned[1], "      ", tops)]


def _mapping(
    old: Mapping[str, Any], new: Mapping[str, Any], indent: str, hidden: frozenset[str] = frozenset()
) -> Iterator[str]:
    """The lines of properties; of those that are hidden it is said that they change, not how."""
    width = max((len(key) for key in (*old, *new)), default=0)
    for key in sorted({*old, *new}):
        label = f"{printable(key):<{width}}"
        if key in hidden and old.get(key) != new.get(key):
            yield click.style(f"{indent}~ {label}: [hidden]", fg="yellow")
        elif key not in new:
            yield click.style(f"{indent}- {label}: {show(old[key])}", fg="red")
        elif key not in old:
            yield click.style(f"{indent}+ {label}: {show(new[key])}", fg="green")
        elif old[key] == new[key]:
            yield f"{indent}  {label}: {show(new[key])}"
        elif isinstance(old[key], dict) and isinstance(new[key], dict):
            yield click.style(f"{indent}~ {key}:", fg="yellow")
            yield from _mapping(old[key], new[key], indent + "    ")
        else:
            yield click.style(f"{indent}~ {label}: {show(old[key])} => {show(new[key])}", fg="yellow")
