"""Adding masking rules to a file as text: nothing else in it changes, no comment, no quote, no blank line."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.document import parse_document

Additions = Mapping[str, Mapping[str, Mapping[str, str]]]
"""What to add below `masking`: section, owner, column as a key of YAML, and its rule in flow style with a comment."""


def add_rules(path: Path, text: str, additions: Additions, *, apart: bool = False) -> str:
    """The text of a platform file with rules added.

    Args:
        path: for messages.
        text: the file as it is.
        additions: what to add; owners and columns as they stand in YAML.
        apart: whether it is a file of masking rules alone.

    Raises:
        ConfigurationError: the file is not YAML, or is written in a way that nothing can be added to as text.
    """
    before = parse_document(path, text).value
    for section, owners in additions.items():
        for owner, columns in owners.items():
            if columns:
                text = _add(text, section, owner, columns, apart)
    changed = parse_document(path, text)
    after = changed.value
    if (
        changed.duplicates
        or not _holds(after, before)
        or not all(
            column in ((after if apart else after["masking"])[section].get(_plain(owner)) or {})
            for section, owners in additions.items()
            for owner, columns in owners.items()
            for column in map(_plain, columns)
        )
    ):
        raise ConfigurationError(
            "rules cannot be added to this file as text", where=str(path), hint="add the lines of the diff by hand"
        )
    return text


def add_paths(
    path: Path, text: str, additions: Mapping[tuple[str, ...], Mapping[str, str]], *, apart: bool = False
) -> str:
    """The text of a file with rules added for paths within documents.

    Args:
        path: for messages.
        text: the file as it is.
        additions: by the place of the mapping that they belong to: paths as keys of YAML, with their rules.
        apart: whether it is a file of masking rules alone.

    Raises:
        ConfigurationError: the place is not in this file, or nothing can be added to it as text.
    """
    before = parse_document(path, text).value
    for place, rules in additions.items():
        node = _root(text)
        for key in place if apart else ("masking", *place):
            node = _child(node, key)
        if node is None:
            raise ConfigurationError(
                f"the rule of {'.'.join(place[1:-1])} is not written here",
                where=str(path),
                hint="choose the other file with --to, or add the paths by hand: " + ", ".join(rules),
            )
        for name, rule in rules.items():
            # each by itself, since what is written within braces shifts
            text = _insert(text, node, [f"{name}: {rule}"])
            node = _root(text)
            for key in place if apart else ("masking", *place):
                node = _child(node, key)
    changed = parse_document(path, text)
    if changed.duplicates or not _holds(changed.value, before):
        raise ConfigurationError(
            "rules cannot be added to this file as text", where=str(path), hint="add the lines of the diff by hand"
        )
    return text


def replace_file(path: Path, text: str) -> None:
    """Writes a file anew, at one stroke; its mode stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(text, encoding="utf-8")
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o7777)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _add(text: str, section: str, owner: str, columns: Mapping[str, str], apart: bool) -> str:
    lines = [f"{column}: {rule}" for column, rule in columns.items()]
    masking = _root(text) if apart else _child(_root(text), "masking")
    if masking is None:
        block = [f"{section}:", f"  {owner}:", *(f"    {line}" for line in lines)]
        if not apart:
            block = ["masking:", *(f"  {line}" for line in block)]
        return (text if text.endswith("\n") or not text else text + "\n") + "".join(f"{line}\n" for line in block)
    found = _child(masking, section)
    if found is None or not found.value:
        block = [f"{owner}:", *(f"  {line}" for line in lines)]
        if found is None:
            block = [f"{section}:", *(f"  {line}" for line in block)]
        return _insert(text, masking if found is None else found, block)
    entry = _child(found, _plain(owner))
    if entry is None:
        return _insert(text, found, [f"{owner}:", *(f"  {line}" for line in lines)])
    return _insert(text, entry, lines)


def _insert(text: str, mapping: Any, block: list[str]) -> str:
    """Adds lines at the end of a mapping, in the style in which it is written."""
    if not isinstance(mapping.value, list):
        raise ConfigurationError("a key without a value has no room for rules")
    if mapping.flow_style or not mapping.value:
        flow = ", ".join(line.partition("    #")[0] for line in block)
        if len(block) > 1 and block[0].endswith(":"):
            raise ConfigurationError("a section that is written within braces has no room for a block")
        end = mapping.end_mark.index
        if end == mapping.start_mark.index or text[end - 1] != "}":
            raise ConfigurationError("an empty key has no room for rules")
        before = text[: end - 1].rstrip()
        return f"{before}{'' if before.endswith('{') else ', '}{flow}{text[end - 1 :]}"
    key, _ = mapping.value[0]
    indent, last = " " * key.start_mark.column, _last_line(mapping)
    lines = text.splitlines(keepends=True)
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    return "".join([*lines[: last + 1], *(f"{indent}{line}\n" for line in block), *lines[last + 1 :]])


def _last_line(node: Any) -> int:
    """The line, from 0, on which the last value of a node ends."""
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    if isinstance(node, MappingNode) and not node.flow_style and node.value:
        return max(_last_line(value) for _, value in node.value[-1:])
    if isinstance(node, SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    if getattr(node, "style", None) in ("|", ">"):
        return int(node.end_mark.line) - 1
    return int(node.end_mark.line)


def _root(text: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).compose(text)


def _child(node: Any, key: str) -> Any:
    pairs = node.value if isinstance(getattr(node, "value", None), list) else []
    return next((value for own, value in pairs if own.value == key), None)


def _plain(key: str) -> str:
    """A key of YAML without its quotes."""
    return str(json.loads(key)) if key.startswith('"') else key


def _holds(after: Any, before: Any) -> bool:
    """Whether everything that was there is there, unchanged."""
    if isinstance(before, dict):
        return isinstance(after, dict) and all(key in after and _holds(after[key], before[key]) for key in before)
    return bool(after == before) or before is None
