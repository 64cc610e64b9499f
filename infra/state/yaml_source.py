"""YAML files that are changed and written again: comments, quotes and positions are kept with the values.

`dataops.infra.platform.document` reads those that are only read; how text is read and faults are told is its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.document import not_yaml, read_text


def read_yaml(path: Path) -> Any:
    """A YAML file, comments and positions included; an empty file is an empty mapping.

    Raises:
        NotFoundError: there is no such file.
        ConfigurationError: it cannot be read or is not YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError

    text = read_text(path)
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    try:
        document = yaml.load(text)
    except YAMLError as error:
        raise not_yaml(path, error) from None
    return CommentedMap() if document is None else document


def place(path: Path, node: Any, key: Any = None) -> str:
    """`file:line` of a mapping or list, or of one of its keys."""
    position = getattr(node, "lc", None)
    if position is None or position.line is None:
        return str(path)
    line = position.line
    if key is not None and position.data and key in position.data:
        line = position.data[key][0]
    return f"{path}:{line + 1}"


def wrong_type(path: Path, node: Any, key: Any, wanted: str) -> ConfigurationError:
    """The error for a value of the wrong type; the value itself is not shown, it may be secret."""
    found = node[key] if isinstance(node, (dict, list)) else node
    return ConfigurationError(
        f"{key!r} must be {wanted}, it is {kind_of(found)}", where=place(path, node, key), hint=f"write {wanted}"
    )


def kind_of(value: Any) -> str:
    """What a YAML value is, in words."""
    if value is None:
        return "empty"
    for types, word in ((bool, "true or false"), (str, "text"), ((int, float), "a number"), (dict, "a mapping")):
        if isinstance(value, types):
            return word
    return "a list" if isinstance(value, list) else type(value).__name__


def plain_yaml(value: Any) -> Any:
    """A YAML value as plain dicts, lists and scalars."""
    if isinstance(value, dict):
        return {str(key): plain_yaml(element) for key, element in value.items()}
    if isinstance(value, list):
        return [plain_yaml(element) for element in value]
    if isinstance(value, bool) or value is None:
        return value
    for type_ in (int, float, str):
        if isinstance(value, type_):
            return type_(value)
    return str(value)
