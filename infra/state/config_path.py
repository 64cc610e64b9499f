"""Paths into configuration values, in Pulumi's syntax: `outer.inner`, `list[0]`, `map["a.b"]`."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from dataops.infra.errors import ConfigurationError

Step = str | int

_TOKEN = re.compile(
    r"""\.?(?P<name>[^.\[\]"]+) | \[(?P<index>\d+)\] | \.?\["(?P<quoted>(?:[^"\\]|\\.)*)"\]""", re.VERBOSE
)


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of a path; the first is a key, the others keys or indices. `ConfigurationError` when malformed."""
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or (position == 0 and text.startswith(".")):
            break
        if match["name"] is not None:
            if position and text[position] != ".":
                break
            steps.append(match["name"])
        elif match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            steps.append(json.loads(f'"{match["quoted"]}"'))
        position = match.end()
    if position < len(text) or not steps or not isinstance(steps[0], str):
        raise ConfigurationError(
            f"{text!r} is not a path into the configuration", hint='write it like outer.inner, list[0] or map["a.b"]'
        )
    return tuple(steps)


def get_path(value: Any, steps: tuple[Step, ...]) -> Any:
    """What lies at the path below a value. `KeyError` when there is nothing."""
    for step in steps:
        if isinstance(step, str) and isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            raise KeyError(step)
    return value


def set_path(container: Any, steps: tuple[Step, ...], value: Any, full: str) -> None:
    """Sets what lies at the path below a mapping or list, making what is missing on the way.

    Raises:
        ConfigurationError: the path leads through something that is neither a mapping nor a list, or past a list's end.
    """
    for step, following in zip(steps, (*steps[1:], None), strict=True):
        fits = isinstance(container, dict) if isinstance(step, str) else isinstance(container, list)
        if not fits or (isinstance(step, int) and step > len(container)):
            kind = "a mapping" if isinstance(step, str) else f"a list with at least {step} elements"
            raise ConfigurationError(
                f"{full!r} leads through a value that is not {kind}", hint="remove that value first"
            )
        exists = step in container if isinstance(container, dict) else int(step) < len(container)
        if following is None:
            new = value
        elif exists and isinstance(container[step], (dict, list)):
            container = container[step]
            continue
        elif exists:
            raise _wrong_way(full, "a mapping or a list")
        else:
            new = [] if isinstance(following, int) else {}
        if exists or isinstance(container, dict):
            container[step] = new
        else:
            container.append(new)
        container = container[step]


def _wrong_way(full: str, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"{full!r} leads through a value that is not {wanted}", hint="remove that value first")


def remove_path(container: Any, steps: tuple[Step, ...]) -> None:
    """Removes what lies at the path. `KeyError` when there is nothing."""
    parent = get_path(container, steps[:-1])
    get_path(parent, steps[-1:])
    del parent[steps[-1]]


def adjust(text: str) -> Any:
    """Text given for a path as the value that it spells: true, false and whole numbers are no text there."""
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"0|-?[1-9]\d*", text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    return text


def spelled(text: str, kind: str) -> Any:
    """What text stands for, as Pulumi reads it: a `string`, `int`, `bool` or `float`.

    Raises:
        ConfigurationError: it is no such thing.
    """
    if kind == "string":
        return text
    if kind == "bool" and text in (*_TRUE, *_FALSE):
        return text in _TRUE
    if kind == "int" and re.fullmatch(r"[-+]?\d+", text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if kind == "float" and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
        number = float(text)
        if math.isfinite(number):
            return int(number) if number.is_integer() and abs(number) < 1e21 else number
    raise ConfigurationError(f"{text!r} is not of the type {kind}", hint="string, int, bool and float are known")


_TRUE, _FALSE = ("1", "t", "T", "true", "True", "TRUE"), ("0", "f", "F", "false", "False", "FALSE")
