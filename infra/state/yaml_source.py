"""YAML files that remember where each thing stands, for errors with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError, NotFoundError


def read_yaml(path: Path) -> Any:
    """A YAML file, comments and positions included; an empty file is an empty mapping.

    Raises:
        NotFoundError: there is no such file.
        ConfigurationError: it cannot be read or is not YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError("there is no such file", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("the file cannot be read as UTF-8 text", where=str(path)) from error
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    try:
        document = yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigurationError(
            f"not valid YAML: {error.problem or error.context}", where=f"{path}{line}", hint="correct that line"
        ) from None
    except YAMLError as error:
        raise ConfigurationError("not valid YAML", where=str(path), details=str(error)) from None
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
