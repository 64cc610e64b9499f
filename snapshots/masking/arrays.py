"""Arrays of Postgres, masked element by element by the masker of their elements; dimensions and bounds stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from dataops.snapshots.masking.base import Masker, UnmaskableError

_BOUNDS = re.compile(r"(?:\[[+-]?\d+:[+-]?\d+\])+=")
# an element within quotes, one without, or what lies between elements
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([^{},"\\ \t\n\r\v\f]+)|([{},]+)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r'[{},"\\ \t\n\r\v\f]')


class ArrayMasker(Masker):
    """Masks the elements of arrays, as Postgres writes these; NULL stays NULL.

    Args:
        elements: masks the elements, just as it masks values that are not in arrays.
    """

    def __init__(self, elements: Masker) -> None:
        self._elements = elements
        self.injective = elements.injective  # type: ignore[misc]  # that of its elements
        self.families = elements.families  # type: ignore[misc]

    def mask(self, value: str) -> str | None:
        return self.mask_all([value])[value]

    def mask_all(self, values: Collection[str]) -> dict[str, str | None]:
        found = {element for value in values for element in elements_of(value)}
        masks = self._elements.mask_all(found)
        return {value: _with_elements(value, masks.__getitem__) for value in values}


def elements_of(array: str) -> list[str]:
    """The elements of an array as plain text, those of every dimension in turn; NULL is left out.

    Raises:
        UnmaskableError: it is no array.
    """
    found: list[str] = []

    def note(element: str) -> str:
        found.append(element)
        return ""

    _with_elements(array, note)
    return found


def longest_element(array: str) -> int:
    """The number of characters of the longest element."""
    return max(map(len, elements_of(array)), default=0)


def _with_elements(array: str, change: Callable[[str], str | None]) -> str:
    bounds = _BOUNDS.match(array)
    position = bounds.end() if bounds else 0
    parts: list[str] = [array[:position]]
    if array[position : position + 1] != "{":
        raise UnmaskableError("a value is no array")
    while position < len(array):
        token = _TOKEN.match(array, position)
        if token is None:
            raise UnmaskableError("a value is no array")
        quoted, plain, between = token.groups()
        if between is not None:
            parts.append(between)
        elif plain is not None and plain.upper() == "NULL":
            parts.append(plain)
        else:
            parts.append(_written(change(plain if quoted is None else _ESCAPED.sub(r"\1", quoted))))
        position = token.end()
    return "".join(parts)


def _written(element: str | None) -> str:
    """An element as Postgres writes it."""
    if element is None:
        return "NULL"
    if element and element.upper() != "NULL" and not _SPECIAL.search(element):
        return element
    escaped = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
