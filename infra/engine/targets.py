"""`--target`: which resources an operation may change."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable


class Targets:
    """URNs and patterns of URNs: `*` stands for anything without a colon, `**` for anything. None given: everything."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        given = tuple(patterns)
        self._patterns = [re.compile(_regex(pattern)) for pattern in given]
        self._literals = [pattern for pattern in given if "*" not in pattern]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def __contains__(self, urn: object) -> bool:
        return not self._patterns or any(pattern.fullmatch(str(urn)) for pattern in self._patterns)

    def missing(self, urns: Container[str]) -> list[str]:
        """The URNs among the targets, patterns aside, that are none of the given ones."""
        return [urn for urn in self._literals if urn not in urns]


def _regex(pattern: str) -> str:
    parts = re.split(r"(\*\*|\*)", pattern)
    return "".join({"**": ".*", "*": "[^:]*"}.get(part, re.escape(part)) for part in parts)
