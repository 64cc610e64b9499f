"""`--target`: which resources an operation may change."""

from __future__ import annotations

import re
from collections.abc import Iterable


class Targets:
    """URNs and patterns of URNs: `*` stands for anything without a colon, `**` for anything. None given: everything."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._patterns = [re.compile(_regex(pattern)) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def __contains__(self, urn: object) -> bool:
        return not self._patterns or any(pattern.fullmatch(str(urn)) for pattern in self._patterns)

    def unmatched(self, urns: Iterable[str]) -> list[str]:
        """Patterns that match none of the URNs."""
        known = list(urns)
        return [p.pattern for p in self._patterns if not any(p.fullmatch(urn) for urn in known)]


def _regex(pattern: str) -> str:
    parts = re.split(r"(\*\*|\*)", pattern)
    return "".join({"**": ".*", "*": "[^:]*"}.get(part, re.escape(part)) for part in parts)
