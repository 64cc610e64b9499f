"""Property paths, such as `a.b[0]["c.d"]` and `list[*].name`."""

from __future__ import annotations

import re
from typing import Any

from dataops.infra.resources.values import Secret, Value

Path = tuple[str | int, ...]

WILDCARD = "*"
_PART = re.compile(r"""\.?([^.\[\]"]+)|\.?\[(\d+)\]|\.?\[(\*)\]|\.?\["((?:[^"\\]|\\.)*)"\]""")


def parse_path(text: str) -> Path | None:
    """A path in its parts, None when it cannot be read."""
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        plain, index, wildcard, quoted = part.groups()
        if plain is not None:
            parts.append(plain)
        elif index is not None:
            parts.append(int(index))
        elif wildcard is not None:
            parts.append(WILDCARD)
        else:
            parts.append(quoted.replace('\\"', '"'))
        at = part.end()
    return tuple(parts)


def covers(path: Path, other: Path) -> bool:
    """Whether `other` is at or below `path`."""
    return len(path) <= len(other) and all(
        mine in (WILDCARD, theirs) for mine, theirs in zip(path, other, strict=False)
    )


def reset(path: Path, old: Any, new: Any) -> bool:
    """Puts what stands at `path` in `old` at the same place in `new`, in place; removes it where `old` has nothing.

    Returns:
        False when the place cannot be reached on both sides, so that nothing could be done.
    """
    if not path:
        return False
    head, rest = path[0], path[1:]
    if head == WILDCARD and isinstance(new, dict) and isinstance(old, dict):
        return all([reset((key, *rest), old, new) for key in {*old, *new}])
    if head == WILDCARD and isinstance(new, list) and isinstance(old, list):
        return all([reset((index, *rest), old, new) for index in range(max(len(old), len(new)))])
    if not rest:
        return _reset_here(head, old, new)
    if isinstance(new, dict) and isinstance(old, dict) and isinstance(head, str):
        if head not in old and head not in new:
            return True
        if head not in old or head not in new:
            return False
    elif not (
        isinstance(new, list) and isinstance(old, list) and isinstance(head, int) and head < min(len(old), len(new))
    ):
        return False
    theirs, container = _inside(old[head]), new
    mine, wrapped = _copy_inside(container[head])
    done = reset(rest, theirs, mine)
    container[head] = Secret(mine) if wrapped else mine
    return done


def _reset_here(head: str | int, old: Any, new: Any) -> bool:
    if isinstance(head, str) and isinstance(new, dict) and isinstance(old, dict):
        if head in old:
            new[head] = old[head]
        else:
            new.pop(head, None)
        return True
    if isinstance(head, int) and isinstance(new, list) and isinstance(old, list):
        if head < min(len(old), len(new)):
            new[head] = old[head]
            return True
    return False


def _inside(value: Value) -> Any:
    return value.value if isinstance(value, Secret) else value


def _copy_inside(value: Value) -> tuple[Any, bool]:
    wrapped = isinstance(value, Secret)
    inner = value.value if wrapped else value
    if isinstance(inner, dict):
        return dict(inner), wrapped
    if isinstance(inner, list):
        return list(inner), wrapped
    return inner, wrapped
