"""The search for production in data: a replica must not hold an address that leads back to it.

It looks at masked rows and objects as they stream by, once per snapshot; what was found stands in the signed manifest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from dataops.infra.platform.addresses import bucket_pattern, host_pattern
from dataops.infra.process.machine import is_this_machine, own_spellings
from dataops.snapshots.manifest import ProductionReference, Unsearched

NEAR = 120
"""More bytes than there are between a port and the end of the name that it belongs to: see `_port_pattern`."""
OVERLAP = 1 << 10
"""Bytes that pieces of a text have in common, so that no address is cut in two."""


def meaningful(hosts: Iterable[str]) -> tuple[str, ...]:
    """The addresses worth searching for, in lower case, sorted: this machine's own name says nothing without a port."""
    found = {host.strip().lower() for host in hosts}
    return tuple(sorted(host for host in found if host and (":" in host.strip("[]:") or not is_this_machine(host))))


def is_local(address: str) -> bool:
    """Whether an address is a port or a folder of this machine, which come and go with production's processes."""
    return address.startswith(("file:", "/")) or is_this_machine(address.rpartition(":")[0] or address)


@dataclass(frozen=True, slots=True)
class _Needle:
    """How an address is searched for: the plain texts, one of which is there, then the pattern.

    Args:
        names: of this machine, one of which is near the text; for a port alone, which any number may look like.
    """

    address: str
    texts: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    names: tuple[bytes, ...] = ()

    def count(self, text: bytes) -> int:
        """How often the address occurs in a text of lower case."""
        if not any(plain in text for plain in self.texts):  # nearly always, and much the faster search
            return 0
        if not self.names:
            return len(self.pattern.findall(text))
        return sum(
            len(self.pattern.findall(text, begin, end))
            for begin, end in _around(text, self.texts[0], NEAR + max(map(len, self.names)))
            if any(text.find(name, begin, end) >= 0 for name in self.names)
        )


def _around(text: bytes, plain: bytes, reach: int) -> Iterator[tuple[int, int]]:
    """The parts of a text that are no further than `reach` from a plain one; those that touch are one."""
    begin, end, at = 0, 0, text.find(plain)
    while at >= 0:
        if at - reach > end:
            if end:
                yield begin, end
            begin = max(0, at - reach)
        end = at + len(plain) + reach
        at = text.find(plain, at + 1)
    if end:
        yield begin, end


def _needle(address: str) -> _Needle:
    if address.startswith(("s3://", "gs://")):
        bucket = urlsplit(address).netloc
        return _Needle(address, (bucket.encode(),), _bytes(bucket_pattern(bucket)))
    if address.startswith(("file:", "/")):
        path = unquote(urlsplit(address).path)
        spellings = tuple(dict.fromkeys((path.encode(), quote(path).lower().encode())))
        pattern = rb"(?:" + b"|".join(map(re.escape, spellings)) + rb")(?![a-z0-9_.-])"
        return _Needle(address, spellings, re.compile(pattern))
    host, _, port = address.rpartition(":")
    if port.isdigit() and host and is_this_machine(host):
        names = tuple(name.encode() for name in own_spellings())
        return _Needle(address, (port.encode(),), _port_pattern(port), names)
    return _Needle(address, (address.encode(),), _bytes(host_pattern(address)))


def _port_pattern(port: str) -> re.Pattern[bytes]:
    """A port of this machine under any of its names: `name:port`, or both as keywords in one line."""
    names = "|".join(sorted((rf"\[?{re.escape(name)}\]?" for name in own_spellings()), key=len, reverse=True))
    own, end = rf"(?<![a-z0-9_-])(?:{names})", r"(?!\d)"
    host, number = rf"(?:host|hostaddr|server|address)\W{{1,5}}{own}", rf"port\W{{1,5}}{port}{end}"
    return re.compile(
        rf"{own}[:,]{port}{end}|{host}\W[^\n]{{0,80}}?{number}|{number}[^\n]{{0,80}}?{host}(?![a-z0-9_-])".encode()
    )


def _bytes(pattern: re.Pattern[str]) -> re.Pattern[bytes]:
    return re.compile(pattern.pattern.encode())


class HostSearch:
    """Counts where production's addresses occur. Not safe to use from several threads, but for `add`."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.hosts = meaningful(hosts)
        self._needles = [_needle(host) for host in self.hosts]
        self._found: Counter[tuple[str, str]] = Counter()
        self._passed_over: dict[str, str] = {}

    def look(self, where: str, data: bytes | memoryview) -> None:
        """Searches some text, whatever its case; pieces must not be cut within a value."""
        for address, count in self._hits(data).items():
            self._found[where, address] += count

    def look_rows(self, table: str, columns: Sequence[str], rows: bytes | memoryview) -> None:
        """Searches rows of COPY text; what is found is told by `table.column`."""
        if not self._hits(rows):
            return
        for row in bytes(rows).splitlines():
            if self._hits(row):
                for column, field in zip(columns, row.split(b"\t"), strict=False):
                    self.look(f"{table}.{column}", field)

    def pass_over(self, where: str, why: str) -> None:
        """Notes that something was not searched, or not to its end."""
        self._passed_over[where] = why

    def _hits(self, data: bytes | memoryview) -> dict[str, int]:
        if not self._needles:
            return {}
        lower = bytes(data).lower()
        counts = ((needle.address, needle.count(lower)) for needle in self._needles)
        return {address: count for address, count in counts if count}

    def add(self, references: Iterable[ProductionReference], unsearched: Iterable[Unsearched] = ()) -> None:
        """Counts what others found, and notes what they passed over."""
        for reference in references:
            self._found[reference.where, reference.host] += reference.count
        for part in unsearched:
            self.pass_over(part.where, part.why)

    def unsearched(self) -> tuple[Unsearched, ...]:
        """What was not searched so far, or not to its end."""
        return tuple(Unsearched(where, why) for where, why in sorted(self._passed_over.items()))

    def references(self) -> tuple[ProductionReference, ...]:
        """What was found so far."""
        return tuple(ProductionReference(where, host, count) for (where, host), count in sorted(self._found.items()))
