"""Goals: what a program asks for, one resource at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dataops.infra.errors import ResourceError
from dataops.infra.resources.state import CustomTimeouts
from dataops.infra.resources.values import Properties, Value


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of a resource: a whole URN, or what differs from the present one."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """A resource as the program wants it; the fields are those of Pulumi's resource options.

    `protect`, `retain_on_delete` and `delete_before_replace` are None when the program does not say.
    `trigger` is the replacement trigger: when it differs from the recorded one, the resource is replaced.
    """

    type: str
    name: str
    custom: bool
    properties: Properties
    parent: str = ""
    protect: bool | None = None
    dependencies: list[str] = field(default_factory=list)
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    delete_before_replace: bool | None = None
    ignore_changes: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: tuple[Alias, ...] = ()
    import_id: str = ""
    timeouts: CustomTimeouts = field(default_factory=CustomTimeouts)
    replace_on_changes: list[str] = field(default_factory=list)
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    trigger: Value = None
    hooks: dict[str, list[str]] = field(default_factory=dict)
    source_position: str = ""
    hide_diffs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReadGoal:
    """A resource that exists and that the program only wants to read; it has the aliases that it inherits."""

    type: str
    name: str
    id: Value
    properties: Properties
    parent: str = ""
    dependencies: list[str] = field(default_factory=list)
    provider: str = ""
    additional_secret_outputs: list[str] = field(default_factory=list)
    source_position: str = ""
    aliases: tuple[Alias, ...] = ()


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def seconds(text: str) -> float:
    """A duration such as `1h30m` in seconds; `ResourceError` when it is none."""
    if not text or text == "0":
        return 0
    total, end = 0.0, 0
    for part in _PART.finditer(text):
        if part.start() != end:
            break
        total, end = total + float(part[1]) * _UNITS[part[2]], part.end()
    if end != len(text):
        raise ResourceError(f"{text!r} is not a duration", hint="write it like 90s, 10m or 1h30m")
    return total
