"""`--target`, `--exclude` and `--replace`: which resources an operation may change, and which it must replace."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass

from dataops.infra.resources.references import named_by
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import ROOT_STACK_TYPE, is_provider


class UrnPatterns:
    """URNs and patterns of URNs: `*` stands for anything without a colon, `**` for anything.

    It is true when any were given; without any it contains nothing.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        given = tuple(patterns)
        self.literals = {pattern for pattern in given if "*" not in pattern}
        self._patterns = [re.compile(_regex(pattern)) for pattern in given if "*" in pattern]

    def __bool__(self) -> bool:
        return bool(self.literals or self._patterns)

    def __contains__(self, urn: object) -> bool:
        return urn in self.literals or any(pattern.fullmatch(str(urn)) for pattern in self._patterns)

    def missing(self, urns: Container[str]) -> list[str]:
        """The URNs that were given, patterns aside, that are none of these."""
        return sorted(urn for urn in self.literals if urn not in urns)


@dataclass(frozen=True, slots=True)
class Targets:
    """What the user chose.

    Args:
        chosen: only these may change; none given: all.
        dependents: what depends on a chosen resource is chosen, too.
        excluded: these may not change.
        excluded_dependents: what depends on an excluded resource is excluded, too.
        replaced: these are replaced, whether they have changed or not.
    """

    chosen: UrnPatterns = UrnPatterns()
    dependents: bool = False
    excluded: UrnPatterns = UrnPatterns()
    excluded_dependents: bool = False
    replaced: UrnPatterns = UrnPatterns()

    def __bool__(self) -> bool:
        return bool(self.chosen or self.excluded)


class Scope:
    """What an operation may change, as it gets to know the resources: each after what it depends on."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._spread: set[str] = set()

    def includes(self, state: ResourceState) -> bool:
        """Whether an update may change a resource; providers and the stack itself are always in."""
        return self.covers(state) or _always_in(state)

    def covers(self, state: ResourceState, by_provider: bool = True) -> bool:
        """Whether a resource of any type is among those chosen, and not excluded.

        Args:
            by_provider: whether it depends on its provider.
        """
        targets = self._targets
        if not by_provider:
            state = state.copy(provider="")
        if targets.chosen:
            return state.urn in targets.chosen or (targets.dependents and self._depends_on(state, targets.chosen))
        if targets.excluded:
            return not (
                state.urn in targets.excluded
                or (targets.excluded_dependents and self._depends_on(state, targets.excluded))
            )
        return True

    def spread(self, state: ResourceState, by_provider: bool = True) -> None:
        """Lets what depends on a resource be chosen or excluded with it; see `covers`."""
        if self._targets.chosen:
            follows = self.covers(state, by_provider)
        else:
            follows = bool(self._targets.excluded) and not (_always_in(state) or self.covers(state, by_provider))
        if follows:
            self._spread.add(state.urn)

    def replaces(self, urn: str, old: ResourceState | None) -> bool:
        """Whether a resource is to be replaced whatever it is like: it was named, or marked as tainted."""
        return urn in self._targets.replaced or (old is not None and bool(old.extra.get("taint")))

    def _depends_on(self, state: ResourceState, named: UrnPatterns) -> bool:
        """Whether a resource depends on one that was named, whether or not the program has that, or follows one."""
        return any(urn in named or urn in self._spread for urn in (state.parent, *named_by(state)))


def _always_in(state: ResourceState) -> bool:
    return is_provider(state.type) or state.type == ROOT_STACK_TYPE


def _regex(pattern: str) -> str:
    parts = re.split(r"(\*\*|\*)", pattern)
    return "".join({"**": ".*", "*": "[^:]*"}.get(part, re.escape(part)) for part in parts)
