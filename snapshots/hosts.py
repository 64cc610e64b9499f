"""The search for production hosts in data: a replica must not hold an address that leads back to production."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from dataops.snapshots.manifest import ProductionReference

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", ""})
"""Names that every environment of a machine shares; with a port they are told apart, without they say nothing."""


def meaningful(hosts: Iterable[str]) -> tuple[str, ...]:
    """The hosts worth searching for, in lower case, sorted."""
    return tuple(sorted({host.strip().lower() for host in hosts} - LOOPBACK))


def _pattern(host: str) -> re.Pattern[bytes]:
    """A host as a whole: not part of a longer label, or of a longer port."""
    return re.compile(rb"(?<![a-z0-9_-])" + re.escape(host.encode()) + rb"(?![a-z0-9_-])")


def names_any(text: str, hosts: Iterable[str]) -> str | None:
    """The first of some hosts that a text names, whatever its case; None when it names none."""
    lower = text.lower().encode()
    return next((host for host in meaningful(hosts) if _pattern(host).search(lower)), None)


class HostSearch:
    """Counts where production hosts occur. Not safe to use from several threads, but for `add`."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.hosts = meaningful(hosts)
        self._needles = [(host, host.encode(), _pattern(host)) for host in self.hosts]
        self._found: Counter[tuple[str, str]] = Counter()

    def look(self, where: str, data: bytes | memoryview) -> None:
        """Searches some text, whatever its case; pieces must not be cut within a value."""
        if not self._needles:
            return
        lower = bytes(data).lower()
        for host, needle, pattern in self._needles:
            # the plain search is much the faster one, and nearly always finds nothing
            if needle in lower and (count := len(pattern.findall(lower))):
                self._found[where, host] += count

    def add(self, references: Iterable[ProductionReference]) -> None:
        """Counts what others found."""
        for reference in references:
            self._found[reference.where, reference.host] += reference.count

    def references(self) -> tuple[ProductionReference, ...]:
        """What was found so far."""
        return tuple(ProductionReference(where, host, count) for (where, host), count in sorted(self._found.items()))
