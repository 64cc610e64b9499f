"""The documents that commands print, with what differs from one time or machine to the next taken out."""

from __future__ import annotations

import re
from typing import Any

COMMANDS: dict[str, tuple[str, ...]] = {
    "preview of all": ("preview", "--json"),
    "up": ("up", "--yes", "--skip-preview", "--message", "first"),
    "preview of nothing": ("preview", "--json"),
    "preview of a change": ("preview", "--json", "--config", "size=5"),
    "history": ("stack", "history", "--json"),
    "stacks": ("stack", "ls", "--json"),
    "config": ("config", "--json"),
    "config shown": ("config", "--json", "--show-secrets"),
    "config value": ("config", "get", "a", "--json"),
    "outputs": ("stack", "output", "--json"),
    "outputs shown": ("stack", "output", "--json", "--show-secrets"),
    "export": ("stack", "export"),
    "export shown": ("stack", "export", "--show-secrets"),
}
"""By name, in the order in which they are run, in the words of the `pulumi` command; `up` prints no document."""

SETTINGS = (
    ("config", "set", "--secret", "token", "hush"),
    ("config", "set", "--path", "a.b[0]", "5"),
    ("config", "set", "size", "4"),
)

_PLACES = frozenset({"sourcePosition", "stackTrace"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def normal(value: Any, key: str = "") -> Any:
    """A document without times, places in files, salts, ciphertexts, versions and circumstances.

    Known differences are evened out: ours numbers updates, which the command does only on its own service, has the
    configuration of past updates as text alone, and does not say when the resources of a preview were made.
    """
    if key == "environment":
        return sorted(set(value) & {"exec.kind", "pulumi.os", "runtime.name", "runtime.version"})
    if key == "version":
        return ""
    if key in ("oldState", "newState"):
        value = {k: v for k, v in value.items() if k not in ("created", "modified")}
    if key == "config":
        return {k: _without_object(v) for k, v in value.items()}
    if key == "duration":
        return type(value).__name__
    if key in ("salt", "ciphertext", "magic"):
        return "<some>"
    if isinstance(value, dict):
        return {k: normal(v, k) for k, v in value.items() if k not in _PLACES}
    if isinstance(value, list):
        return [normal(element) for element in value]
    return "<time>" if isinstance(value, str) and _TIME.fullmatch(value) else value


def _without_object(value: Any) -> Any:
    return {k: v for k, v in value.items() if k != "objectValue"} if isinstance(value, dict) else value
