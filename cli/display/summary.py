"""The end of an operation as text: messages by resource, outputs, counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from dataops.cli.display.words import OPS, duration, printable, words_of
from dataops.infra.resources.urn import name_of, type_of


def show(value: Any) -> str:
    """A property value on one line; `[secret]` and `[unknown]` without quotes."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace('"[secret]"', "[secret]").replace('"[unknown]"', "[unknown]")


def output_lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The stack's outputs, each marked when it is new, changed or gone."""
    if not before and not after:
        return []
    width = max(len(name) for name in (*before, *after))
    lines = ["Outputs:"]
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if name not in after:
            mark, text = "-", show(old)
        elif name not in before:
            mark, text = ("+" if before else " "), show(new)
        elif old != new:
            mark, text = "~", f"{show(old)} => {show(new)}"
        else:
            mark, text = " ", show(new)
        lines.append(f"  {mark} {name:<{width}}: {text}")
    return lines


def count_lines(changes: Mapping[str, int], planning: bool) -> list[str]:
    """How many resources were or would be changed, by kind of step."""
    lines = ["Resources:"]
    changed = sum(count for op, count in changes.items() if op != "same")
    for op in OPS:
        count = changes.get(op, 0)
        if count and op != "same":
            words = words_of(op)
            verb = f"to {words.plan}" if planning else words.done
            lines.append(f"  {words.mark:>2} {count} {verb}")
    unchanged = changes.get("same", 0)
    if unchanged:
        lines.append(f"     {unchanged} unchanged")
    elif not changed:
        lines.append("     none")
    return lines


def message_lines(messages: Iterable[tuple[str, str, str]]) -> list[str]:
    """Messages grouped by the resource they are about.

    Args:
        messages: `(urn, severity, text)` in the order in which they came; the URN may be "". The severity of an
            error may say what failed: `error while creating`.
    """
    groups: dict[str, list[str]] = {}
    for urn, severity, text in messages:
        prefix = f"{severity}: " if severity.startswith(("error", "warning")) else ""
        first, *rest = text.rstrip().splitlines() or [""]
        groups.setdefault(urn, []).extend([f"    {prefix}{first}", *(f"    {line}" for line in rest)])
    if not groups:
        return []
    lines = ["Diagnostics:"]
    for urn, texts in groups.items():
        lines += [f"  {printable(type_of(urn))} ({printable(name_of(urn))}):" if urn else "  the stack:", *texts]
    return lines


def duration_line(seconds: float) -> str:
    """How long it took."""
    return f"Duration: {duration(seconds)}"
