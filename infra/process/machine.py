"""This machine's own names and addresses: different spellings of one place."""

from __future__ import annotations

import ipaddress
import socket
from functools import cache
from pathlib import Path
from socket import AF_INET, AF_INET6

LOOPBACK_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "loopback"})


def is_this_machine(host: str) -> bool:
    """Whether a host, as an address or as a name, is this machine; an empty one is. Asks no name server."""
    name = host.strip().strip("[]").rstrip(".").lower()
    if name in LOOPBACK_NAMES or name.endswith(".localhost"):
        return True
    address = _address(name)
    if address is None:
        return name in _own_names()
    return address.is_loopback or address.is_unspecified or str(address) in _own_addresses()


def own_spellings() -> frozenset[str]:
    """Every name and address under which programs here reach this machine, but for the empty one."""
    return (LOOPBACK_NAMES - {""}) | {"127.0.0.1", "::1", "0.0.0.0"} | _own_addresses() | _own_names()


def other_names(host: str) -> frozenset[str]:
    """The names and addresses that this machine's table of hosts gives for the same place."""
    name = host.lower()
    table = _table()
    addresses = {address for address, names in table if name in names or name == address}
    same = {other for address, names in table if address in addresses for other in (address, *names)}
    return frozenset(same - {name} - LOOPBACK_NAMES)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        try:
            # shorthands such as 127.1, which every program takes
            return ipaddress.IPv4Address(socket.inet_aton(name)) if name[:1].isdigit() else None
        except (OSError, ValueError):
            return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


@cache
def _own_addresses() -> frozenset[str]:
    import psutil

    every = (one for found in psutil.net_if_addrs().values() for one in found)
    return frozenset(one.address.partition("%")[0] for one in every if one.family in (AF_INET, AF_INET6))


@cache
def _own_names() -> frozenset[str]:
    own = socket.gethostname().lower()
    names = {own, own.partition(".")[0]}
    for address, others in _table():
        parsed = _address(address)
        if parsed is not None and (parsed.is_loopback or str(parsed) in _own_addresses()):
            names |= set(others)
    return frozenset(names)


@cache
def _table() -> tuple[tuple[str, tuple[str, ...]], ...]:
    try:
        lines = Path("/etc/hosts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    words = (line.partition("#")[0].lower().split() for line in lines)
    return tuple((found[0], tuple(found[1:])) for found in words if len(found) > 1)
