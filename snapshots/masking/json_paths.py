"""The rule json: rules for the paths within the documents of a column.

A document is read, each value on a listed path is masked by the rule of that path, and it is written again. Values of
paths that are not listed stop the capture, unless the rule says what becomes of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dataops.infra.platform.masking_rules import Constant, Keep, Null, Rule
from dataops.infra.platform.paths import ANY, ITEM, split_path
from dataops.snapshots.masking.base import ColumnMasker, Family, Masker, UnmaskableError

_SHOWN = re.compile(r"[A-Za-z_][A-Za-z_-]{0,39}\d{0,2}")
MOST_TOLD = 50


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object, in its order; a key may stand twice."""


@dataclass(frozen=True, slots=True)
class PathMasker:
    """A rule at work on the values of one path; `by_family` lacks the families that it cannot serve."""

    rule: Rule
    by_family: Mapping[Family, Masker] = field(repr=False)


@dataclass(slots=True)
class _Node:
    """A place in the tree of paths."""

    rule: PathMasker | None = None
    below: dict[str, _Node] = field(default_factory=dict)


@dataclass(slots=True)
class _Leaf:
    """A value whose mask is not known yet."""

    masker: Masker
    value: str
    number: bool


class JsonMasker(ColumnMasker):
    """Masks documents.

    Args:
        paths: rules by path.
        unlisted: what happens to every other value; None stops the capture.
        keys: what masks the keys that `*` stands for.
    """

    families = frozenset({Family.JSON, Family.TEXT})

    def __init__(self, paths: Mapping[str, PathMasker], unlisted: PathMasker | None, keys: Masker) -> None:
        self._root = _Node()
        for path, rule in paths.items():
            node = self._root
            for part in split_path(path):
                node = node.below.setdefault(part, _Node())
            node.rule = rule
        self._unlisted, self._keys = unlisted, keys

    def masks(self, values: Sequence[str]) -> Sequence[str | None]:
        leaves: list[_Leaf] = []
        missing: dict[str, str] = {}
        documents = [self._visit(_read(value), self._root, "", leaves, missing) for value in values]
        if missing:
            raise UnmaskableError(
                "a document has values on paths that no rule names",
                [f"{json.dumps(path)}: {rule}" for path, rule in sorted(missing.items())][:MOST_TOLD],
            )
        known: dict[int, dict[str, str | None]] = {}
        for masker in {id(leaf.masker): leaf.masker for leaf in leaves}.values():
            known[id(masker)] = masker.mask_all({leaf.value for leaf in leaves if leaf.masker is masker})
        return [_write(document, known) for document in documents]

    def unlisted(self, values: Sequence[str]) -> set[str]:
        """The paths of documents that no rule names; those that cannot be read are passed over."""
        missing: dict[str, str] = {}
        for value in values:
            with suppress(UnmaskableError):
                self._visit(_read(value), self._root, "", [], missing)
        return {*missing}

    def _visit(self, value: Any, node: _Node | None, path: str, leaves: list[_Leaf], missing: dict[str, str]) -> Any:
        """A document with leaves where values are masked."""
        if node is not None and node.rule is None and not (node.below and isinstance(value, list)):
            node = None  # paths lead on, but there is nothing here for them to lead into
        rule = node.rule if node else self._unlisted
        if rule and isinstance(rule.rule, (Keep, Null, Constant)) and (node is None or not node.below):
            return _whole(value, rule.rule)
        if isinstance(value, Pairs):
            return Pairs(
                (self._key(key, node, leaves), self._visit(child, *_step(node, key, path), leaves, missing))
                for key, child in value
            )
        if isinstance(value, list):
            return [self._visit(item, *_step(node, ITEM, path), leaves, missing) for item in value]
        if value is None:
            return None
        if rule is None:
            missing[path] = _suggestion(value)
            return None
        if isinstance(rule.rule, (Keep, Null, Constant)):
            return _whole(value, rule.rule)
        for family in _families(value):
            if masker := rule.by_family.get(family):
                leaves.append(_Leaf(masker, str(value), isinstance(value, Number)))
                return leaves[-1]
        raise UnmaskableError(f"`{rule.rule.word}` does not serve what stands at the path {path or 'of the whole'}")

    def _key(self, key: str, node: _Node | None, leaves: list[_Leaf]) -> Any:
        """A key: the name of a field, unless `*` stands for it, or it is not listed and does not look like a name."""
        listed = node is not None and key in node.below
        unlisted = node is None or ANY not in node.below
        kept = self._unlisted is not None and isinstance(self._unlisted.rule, Keep)
        if listed or (unlisted and (kept or _SHOWN.fullmatch(key))):
            return key
        leaves.append(_Leaf(self._keys, key, False))
        return leaves[-1]


def _step(node: _Node | None, key: str, path: str) -> tuple[_Node | None, str]:
    below = None if node is None else node.below.get(key) or (node.below.get(ANY) if key != ITEM else None)
    if key == ITEM:
        return below, f"{path}{ITEM}"
    shown = key if _SHOWN.fullmatch(key) else ANY  # a key that does not look like a name could be data
    return below, f"{path}.{shown}" if path else shown


def _whole(value: Any, rule: Keep | Null | Constant) -> Any:
    if value is None or isinstance(rule, Keep):
        return value
    return None if isinstance(rule, Null) else _read(json.dumps(rule.value))


def _families(value: Any) -> tuple[Family, ...]:
    if isinstance(value, bool):
        return ()
    if isinstance(value, Number):
        return (Family.INTEGER, Family.NUMBER) if re.fullmatch(r"-?\d+", value) else (Family.NUMBER,)
    return (Family.TEXT, Family.DATE)


def _suggestion(value: Any) -> str:
    """A rule that is safe for a value that has none."""
    if isinstance(value, bool):
        return "null"
    if isinstance(value, Number):
        return "digits" if re.fullmatch(r"-?\d+", value) else "null"
    return "hash"


def _read(text: str) -> Any:
    """A document; numbers stay as they are written and objects have their pairs in order."""
    try:
        return json.loads(
            text, object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        raise UnmaskableError("a value is no JSON, or is nested too deeply") from None


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _write(value: Any, masks: Mapping[int, Mapping[str, str | None]]) -> str:
    """A document as Postgres would write it."""
    if isinstance(value, _Leaf):
        mask = masks[id(value.masker)][value.value]
        return "null" if mask is None else mask if value.number else _quoted(mask)
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Pairs):
        return "{" + ", ".join(f"{_write(key, masks)}: {_write(child, masks)}" for key, child in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_write(item, masks) for item in value) + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair, which JSON can write and UTF-8 cannot
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)


def leaves_of(text: str) -> list[tuple[str, Family, str]]:
    """The values in a document: path, family and text of each; none of one that cannot be read."""
    try:
        document = _read(text)
    except UnmaskableError:
        return []
    return list(_leaves(document, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Family, str]]:
    if isinstance(value, Pairs):
        for key, child in value:
            yield from _leaves(child, _step(None, key, path)[1])
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, _step(None, ITEM, path)[1])
    elif value is not None and path:
        number = isinstance(value, Number)
        family = Family.OTHER if isinstance(value, bool) else _families(value)[0] if number else Family.TEXT
        yield path, family, str(value)
