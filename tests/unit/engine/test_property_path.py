"""Paths into property values, as `ignore_changes`, `replace_on_changes` and `hide_diffs` name them."""

from __future__ import annotations

from typing import Any

import pytest

from dataops.infra.engine.property_path import covers, parse_path, path_text, reset
from dataops.infra.resources.values import Secret


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.b[0]", ("a", "b", 0)),
        ('a["b.c"].d', ("a", "b.c", "d")),
        ('["q\\"r"]', ('q"r',)),
        ("list[*].n", ("list", "*", "n")),
        ("a..b", ("a", "b")),
        ("a.[0]", ("a", 0)),
        ("a[-1]", ("a", -1)),
        ("", ()),
    ],
)
def test_a_path_is_read_in_its_parts(text: str, parts: tuple[Any, ...]) -> None:
    assert parse_path(text) == parts


@pytest.mark.parametrize("text", [".a", "a.", "a[", 'a["b', 'a["b\\"]', "a[b]"])
def test_a_path_that_is_none_is_refused(text: str) -> None:
    assert parse_path(text) is None


@pytest.mark.parametrize("text", ["a.b[0]", 'a["b.c"].d', '["q\\"r"]', 'list["*"].n'])
def test_a_path_is_written_as_it_is_read(text: str) -> None:
    path = parse_path(text)
    assert path is not None and path_text(path) == text


def test_a_wildcard_covers_keys_and_indices_but_an_index_covers_no_key() -> None:
    assert covers(("a", "*"), ("a", 0, "b")) and covers(("*",), ("a",))
    assert not covers((0,), ("0",)) and not covers(("a", "b"), ("a",))


@pytest.mark.parametrize(
    ("path", "old", "new", "kept", "done"),
    [
        ("a.b", {"a": {"b": 1}}, {"a": {"b": 2, "c": 3}}, {"a": {"b": 1, "c": 3}}, True),
        ("a.b", {"a": {}}, {"a": {"b": 2}}, {"a": {}}, True),
        ("a.b", {}, {"a": {"b": 2}}, {"a": {}}, True),
        ("a.b", {"a": {"b": 1}}, {}, {}, False),
        ("a.b", {"a": 1}, {"a": 2}, {"a": 2}, True),
        ("a[0]", {"a": [1]}, {"a": [2, 2]}, {"a": [1, 2]}, True),
        ("a[1]", {"a": [1]}, {"a": [2, 2]}, {"a": [2, 2]}, False),
        ("a[5]", {"a": [1]}, {"a": [2, 2]}, {"a": [2, 2]}, True),
        ("a[*].n", {"a": [{"n": 1}]}, {"a": [{"n": 2}, {"n": 2}]}, {"a": [{"n": 1}, {"n": 2}]}, False),
        ("a[*]", {"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1}}, True),
        ("a[*].n", {"a": {"x": {"n": 1}}}, {"a": {"x": {"n": 2}, "y": {"n": 2}}}, None, True),
        ("a", {"a": Secret("s")}, {"a": "t"}, {"a": Secret("s")}, True),
        ("a.b", {"a": Secret({"b": 1})}, {"a": {"b": 2}}, {"a": {"b": Secret(1)}}, True),
        ("a.b", {"a": {"b": 1}}, {"a": Secret({"b": 2})}, {"a": Secret({"b": 1})}, True),
    ],
)
def test_what_is_ignored_stays_as_it_was(
    path: str, old: dict[str, Any], new: dict[str, Any], kept: dict[str, Any] | None, done: bool
) -> None:
    parts = parse_path(path)
    assert parts is not None and reset(parts, old, new) is done
    assert new == (kept if kept is not None else {"a": {"x": {"n": 1}, "y": {"n": 2}}})
