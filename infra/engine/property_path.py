"""Property paths, such as `a.b[0]["c.d"]` and `list[*].name`, read and followed as Pulumi does."""

from __future__ import annotations

import re
from typing import Any

from dataops.infra.resources.values import Secret, Value

Path = tuple[str | int, ...]

WILDCARD = "*"
_PART = re.compile(r"""\["((?:\\"|[^"])*+)"\]|\[(\*)\]|\[([+-]?\d+)\]|(\.)(?!$)|([^.\[]+)""")
_PLAIN = re.compile(r"[A-Za-z0-9_]*")


def parse_path(text: str) -> Path | None:
    """A path in its parts, None when it cannot be read."""
    if text.startswith("."):
        return None
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        quoted, wildcard, index, dot, plain = part.groups()
        if quoted is not None:
            parts.append(quoted.replace('\\"', '"'))
        elif index is not None:
            parts.append(int(index))
        elif not dot:
            parts.append(wildcard or plain)
        at = part.end()
    return tuple(parts)


def path_text(path: Path) -> str:
    """A path as it is recorded, the inverse of `parse_path`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            escaped = part.replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def covers(path: Path, other: Path) -> bool:
    """Whether `other` is at or below `path`."""
    return len(path) <= len(other) and all(
        mine == WILDCARD or (mine == theirs and type(mine) is type(theirs))
        for mine, theirs in zip(path, other, strict=False)
    )


def reset(path: Path, old: Value, new: Value, was_secret: bool = False, is_secret: bool = False) -> bool:
    """Puts what stands at `path` in `old` at the same place in `new`, in place; removes it where `old` has nothing.

    What was secret stays so, also when what is around it is secret no longer.

    Args:
        was_secret, is_secret: whether `old` and `new` stand within a secret.

    Returns:
        False when an element has been added or removed on the way, so that not everything could be done.
    """
    if not path:
        return False
    old, was_secret = _opened(old, was_secret)
    new, is_secret = _opened(new, is_secret)
    head, rest = path[0], path[1:]
    hide = was_secret and not is_secret
    if isinstance(head, int):
        if head < 0:
            return False
        if not (isinstance(old, list) and isinstance(new, list)):
            return not isinstance(old, list) and not isinstance(new, list)
        if head >= min(len(old), len(new)):
            return not rest and head >= max(len(old), len(new))
        if rest:
            return reset(rest, old[head], new[head], was_secret, is_secret)
        new[head] = _kept(old[head], hide)
        return True
    if head == WILDCARD:
        if rest:
            return _reset_below_each(rest, old, new, was_secret, is_secret)
        return _reset_each(old, new, hide)
    if not rest:
        return _reset_key(head, old, new, hide)
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return not isinstance(old, dict) and not isinstance(new, dict)
    if head not in new:
        return head not in old
    return reset(rest, old.get(head), new[head], was_secret, is_secret)


def _reset_key(key: str, old: Value, new: Value, hide: bool) -> bool:
    if isinstance(old, dict) and key in old:
        if not isinstance(new, dict):
            return False
        new[key] = _kept(old[key], hide)
    elif isinstance(new, dict):
        new.pop(key, None)
    return True


def _reset_each(old: Value, new: Value, hide: bool) -> bool:
    if isinstance(new, dict):
        if isinstance(old, dict):
            new.clear()
            new.update({key: _kept(value, hide) for key, value in old.items()})
        return True
    if not isinstance(new, list):
        return False
    if not isinstance(old, list):
        return True
    for index, value in enumerate(old[: len(new)]):
        new[index] = _kept(value, hide)
    return len(old) == len(new)


def _reset_below_each(rest: Path, old: Value, new: Value, was_secret: bool, is_secret: bool) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and reset(rest, old[key], new[key], was_secret, is_secret) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        pairs = zip(old, new, strict=False)
        return all(reset(rest, mine, theirs, was_secret, is_secret) for mine, theirs in pairs) and len(old) == len(new)
    return False


def _opened(value: Value, secret: bool) -> tuple[Any, bool]:
    while isinstance(value, Secret):
        value, secret = value.value, True
    return value, secret


def _kept(value: Value, hide: bool) -> Value:
    return Secret(value) if hide and not isinstance(value, Secret) else value
