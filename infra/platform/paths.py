"""Paths within a document or a nested column: `contact.email`, `items[].note`, `phones.*`, `"odd.key".x`."""

from __future__ import annotations

import json
import re

ITEM = "[]"
"""Each item of a list."""
ANY = "*"
"""Each key of an object that no other path names."""
_PART = re.compile(r'\.?(?:(?P<quoted>"(?:[^"\\]|\\.)+")|(?P<plain>[^.\[\]"*]+|\*))|(?P<item>\[\])')


def split_path(path: str) -> tuple[str, ...]:
    """The parts of a path; list items are `ITEM`.

    Raises:
        ValueError: it is no path.
    """
    parts, end = [], 0
    while end < len(path):
        match = _PART.match(path, end)
        if match is None or (end > 0 and match["item"] is None and path[end] != ".") or (end == 0 and path[0] == "."):
            raise ValueError("not a path")
        parts.append(match["item"] or match["plain"] or json.loads(match["quoted"]))
        end = match.end()
    if not parts:
        raise ValueError("not a path")
    return tuple(parts)


def join_path(parts: tuple[str, ...]) -> str:
    """The path that has these parts."""
    text = ""
    for part in parts:
        if part != ITEM and not re.fullmatch(r'[^.\[\]"*]+|\*', part):
            part = json.dumps(part, ensure_ascii=False)
        text += part if part == ITEM or not text else f".{part}"
    return text
