"""What `dataops.yaml` says at a key path such as `environments.production.variables.REGION`, and on which line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataops.envs.surroundings import Surroundings
from dataops.infra.errors import ConfigurationError, NotFoundError

if TYPE_CHECKING:
    from dataops.infra.platform.document import Document, Location

SECRET = "[secret]"

_PART = re.compile(r"""\[(\d+)\]|\["([^"]*)"\]|\.?([^.\[\]]+)""")
_TELLTALE = re.compile(r"passw|secret|token|passphrase|api_?key|private_?key|credential", re.IGNORECASE)
_LOGIN_IN_URL = re.compile(r"\w+://[^/\s:@]+:[^/\s@]+@")


@dataclass(frozen=True, slots=True)
class FileValue:
    """What holds at a key path.

    Args:
        key: the path as it was asked for.
        value: what holds there; secrets are replaced by `[secret]`.
        given: whether the file says so itself; otherwise it is the default.
        where: `file:line`, of the nearest part that is written down where the value is a default.
    """

    key: str
    value: Any
    given: bool
    where: str


def value_at(path: str, around: Surroundings) -> FileValue:
    """What the platform file says at a key path, else what holds there by default.

    Raises:
        NotFoundError: no such key can be, or there is no platform file.
        ConfigurationError: the file is not valid, so that its defaults cannot be told.
    """
    if around.document is None:
        raise NotFoundError(
            f"there is no setting {path}, and no dataops.yaml here or above", hint="see `dataops config ls`"
        )
    document, location = around.document, parse_path(path)
    known = bool(location) and document.has(location[:1])
    where = f"{document.path}:{document.line(location)}" if known else str(document.path)
    given, value = _look_up(document.value, location)
    if not given:
        value = _default(document, location, path, around)
    return FileValue(path, hide(value, location), given, where)


def parse_path(path: str) -> Location:
    """`a.b[0]["c d"]` as its parts.

    Raises:
        ConfigurationError: it is not of that form.
    """
    parts, position = [], 0
    for match in _PART.finditer(path):
        if match.start() != position:
            break
        index, quoted, word = match.groups()
        parts.append(int(index) if index else quoted if quoted is not None else word)
        position = match.end()
    if position != len(path) or not parts:
        raise ConfigurationError(f"{path!r} is not a key path", hint="write it as in pipelines.sales.steps[0].run")
    return tuple(parts)


def hide(value: Any, location: Location = ()) -> Any:
    """The value with everything that looks like a secret replaced.

    A value of a variable or parameter is one by its name; any text is one when it is a URL with a password.
    """
    if isinstance(value, dict):
        return {key: hide(below, (*location, key)) for key, below in value.items()}
    if isinstance(value, (list, tuple)):
        return [hide(below, (*location, index)) for index, below in enumerate(value)]
    named = [str(part) for part in location]
    free = {"variables", "parameters"} & set(named[:-1])
    if free and _TELLTALE.search(named[-1]):
        return SECRET
    return SECRET if isinstance(value, str) and _LOGIN_IN_URL.search(value) else value


def _look_up(value: Any, location: Location) -> tuple[bool, Any]:
    for part in location:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return False, None
    return True, value


def _default(document: Document, location: Location, path: str, around: Surroundings) -> Any:
    """What the model has at a place that the file leaves out."""
    from dataops.infra.platform.loader import load_platform

    every = load_platform(document.path).model_dump(mode="json", by_alias=True)
    found, value = _look_up(every, location)
    if not found:
        raise NotFoundError(
            f"there is no key {path} in {document.path.name}", where=str(document.path), hint=_nearest(every, location)
        )
    return value


def _nearest(every: dict[str, Any], location: Location) -> str:
    """A hint about the first part of a path that is not there."""
    from dataops.envs.settings import SETTINGS
    from dataops.infra.platform.problems import dotted, nearest

    for depth in range(len(location)):
        found, _ = _look_up(every, location[: depth + 1])
        if not found:
            _, above = _look_up(every, location[:depth])
            if isinstance(above, list):
                return f"{dotted(location[:depth])} has {len(above)} items: write {dotted((*location[:depth], 0))}"
            known = [str(key) for key in above] if isinstance(above, dict) else []
            rest = ".".join(str(part) for part in location[depth:])
            if of_dots := [key for key in known if "." in key and rest.startswith(key)]:
                return f"a key with dots goes in quotes: {dotted((*location[:depth], of_dots[0]))}"
            if depth == 0:
                known += [setting.key for setting in SETTINGS]
            hint = nearest(str(location[depth]), known, "keys" if depth == 0 else f"keys of {dotted(location[:depth])}")
            return hint or "see `dataops config ls` and `dataops schema`"
    return "see `dataops config ls`"
