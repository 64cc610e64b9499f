"""The resources that an environment declares, as `env diff` compares them: property by property, never a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dataops.envs.registry import EnvironmentRecord
from dataops.envs.stack import Tools, state_is_there

SECRET = "[secret]"

OWN = frozenset({"connection", "environmentDigest", "generation", "productionHosts", "snapshot", "source", "variables"})
"""Inputs that say where an environment is or what data it has, and so differ between any two."""

SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key by which Pulumi tells values of a kind of their own, among which an exported state has secrets only."""

LONGEST = 100
"""Characters of a value that are shown; of longer ones their length."""

Declaration = Mapping[str, str]
"""Paths of properties, such as `grants.0.role`, to their values."""


def declared_resources(record: EnvironmentRecord, tools: Tools) -> dict[str, Declaration]:
    """Each resource, by its kind and name, as far as its declaration is no secret and not the environment's own place.

    Args:
        record: the environment.
        tools: see `Tools`.
    """
    from dataops.infra.state.backend import StackReference

    if not state_is_there(record.backend):
        return {}
    exported = tools.backend(record.backend).export(StackReference(record.project, record.stack))
    found: dict[str, Declaration] = {}
    for resource in (exported.get("deployment") or {}).get("resources") or []:
        if resource.get("custom") and not str(resource["type"]).startswith("pulumi:"):
            name = str(resource["urn"]).rpartition("::")[2]
            kind = str(resource["type"]).rpartition(":")[2]
            found[f"{kind} {name}"] = dict(_leaves(resource.get("inputs"), (), record))
    return found


def differing(a: Declaration | None, b: Declaration | None) -> tuple[str, str]:
    """What two declarations of a resource have each that the other has not, for people; "" where there is none."""
    if a is None or b is None:
        return "", ""
    paths = sorted(path for path in {*a, *b} if a.get(path) != b.get(path))
    return _told(a, paths), _told(b, paths)


def _told(declaration: Declaration, paths: list[str]) -> str:
    return ", ".join(f"{path}={_short(declaration[path])}" for path in paths if path in declaration)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST and "\n" not in text else f"({len(text):,} characters)"


def _leaves(value: Any, path: tuple[str, ...], record: EnvironmentRecord) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        # A document that is written to a file is compared as what it says.
        value = _document(value)
    if isinstance(value, dict) and SECRET_SIGNATURE not in value:
        for key, item in value.items():
            if key not in OWN:
                yield from _leaves(item, (*path, str(key)), record)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, str(index)), record)
    else:
        yield ".".join(path), SECRET if isinstance(value, dict) else _without_place(str(value), path, record)


def _document(text: str) -> Any:
    if not text.startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _without_place(text: str, path: tuple[str, ...], record: EnvironmentRecord) -> str:
    """A value with the environment's own folder, commit and name taken out."""
    if text == record.name and path[-1:] != ("role",):
        return "<name>"
    for word, sign in {record.root: "<root>", record.commit: "<commit>", record.commit[:12]: "<commit>"}.items():
        text = text.replace(word, sign) if word else text
    return text
