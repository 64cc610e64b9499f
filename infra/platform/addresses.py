"""Where production is, in every spelling that could lead there: what nothing of a replica may point at.

An *address* is what `productionHosts` declares or production publishes: a host (`db.example.com`, `10.0.0.5:5432`), a
port of this machine (`127.0.0.1:15432`), a bucket (`s3://lake`) or a folder (`file:///…/environments/production`).
`ProductionAddresses` tells whether a text points at one: as a URL, a DSN, keywords, a JDBC string, a path or a link.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dataops.infra.errors import PolicyError
from dataops.infra.process.machine import is_this_machine, other_names

FORBIDDEN = "production.json"
"""The file in an environment's folder that says what nothing in it may point at."""

LONGEST = 100_000
"""Characters of a value that are looked at."""

DEFAULT_PORTS = {
    "postgresql": 5432,
    "postgres": 5432,
    "mysql": 3306,
    "http": 80,
    "https": 443,
    "redis": 6379,
    "s3": 443,
}
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#\s\"'<>]*)", re.IGNORECASE)
_HOST = re.compile(r"(?:host|hostaddr|hostname|server|data source|address)[\"']?\s*[=:]\s*[\"']?([^\s;&\"'}]*)", re.I)
_PORT = re.compile(r"port[\"']?\s*[=:]\s*[\"']?(\d{1,5})\b", re.IGNORECASE)
_KEYWORDS = re.compile(r"\b(?:dbname|database|user|username)\s*=", re.IGNORECASE)
_NO_AUTHORITY = re.compile(r"://(?:[^/@\s]*@)?[/?]")
_PAIR = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)[:,](\d{1,5})(?!\d)", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w.])/[^\s\"'<>|;,?&#]+")
_HOST_VARIABLE = re.compile(r"(.*?)(?:HOST|HOSTNAME|HOSTADDR|SERVER|ADDR|ADDRESS)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ProductionAddresses:
    """The addresses, by kind; make it with `of`.

    Args:
        hosts: names of hosts, perhaps with a port, in lower case.
        ports: ports of this machine.
        buckets: names of buckets, in lower case.
        folders: resolved paths.
    """

    hosts: tuple[str, ...] = ()
    ports: frozenset[int] = frozenset()
    buckets: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, addresses: Iterable[str]) -> ProductionAddresses:
        """Sorts addresses by kind. This machine's own names say nothing without a port, and are left out."""
        hosts: set[str] = set()
        ports: set[int] = set()
        buckets: set[str] = set()
        folders: set[Path] = set()
        for address in addresses:
            text = address.strip()
            if text.lower().startswith(("s3://", "s3a://", "gs://")):
                buckets.add(urlsplit(text).netloc.lower())
            elif text.startswith("/") or text.lower().startswith("file:"):
                folders.add(Path(unquote(urlsplit(text).path)).resolve())
            elif text:
                host, port = _split(_authority(text))
                if is_this_machine(host):
                    ports |= {port} if port else set()
                else:
                    hosts.add(f"{host}:{port}" if port else host)
                    hosts |= {f"{name}:{port}" if port else name for name in other_names(host)}
        return cls(tuple(sorted(hosts)), frozenset(ports), tuple(sorted(buckets - {""})), tuple(sorted(folders)))

    def named_in(self, text: str, directory: Path | None = None) -> str | None:
        """The first address that a text points at, None when it points at none.

        Args:
            text: a value, such as that of a variable.
            directory: what relative paths in it start from.
        """
        text = text[:LONGEST]
        lower = text.lower()
        for spelling in dict.fromkeys((lower, unquote(lower))):
            for host in self.hosts:
                if host_pattern(host).search(spelling):
                    return host
            for bucket in self.buckets:
                if bucket_pattern(bucket).search(spelling):
                    return f"s3://{bucket}"
        for host, port in self._endpoints(unquote(text)):
            if port in self.ports and is_this_machine(host):
                return f"127.0.0.1:{port}"
        return next((str(f) for path in _paths(text) for f in self._holding(path, directory)), None)

    def named_by(self, variables: Mapping[str, str], directory: Path | None = None) -> Iterator[tuple[str, str]]:
        """The variables that point at production, each with the address; also host and port in two variables."""
        upper = {name.upper(): str(value) for name, value in variables.items()}
        for name, value in sorted(variables.items()):
            if found := self.named_in(str(value), directory):
                yield name, found
            elif match := _HOST_VARIABLE.fullmatch(name):
                port = upper.get(f"{match[1]}PORT".upper(), "")
                if port.isdigit() and int(port) in self.ports and is_this_machine(str(value)):
                    yield name, f"127.0.0.1:{port}"

    def _endpoints(self, text: str) -> Iterator[tuple[str, int]]:
        """Every host with a port that a text could mean."""
        if not self.ports:
            return
        for scheme, authority in _URL.findall(text):
            for part in authority.rpartition("@")[2].split(","):
                host, port = _split(part)
                yield host, port or DEFAULT_PORTS.get(scheme.rpartition(":")[2].lower(), 0)
        ports = [int(port) for port in _PORT.findall(text)]
        hosts = [host for found in _HOST.findall(text) for host in found.split(",")]
        if not hosts and (_NO_AUTHORITY.search(text) if "://" in text else _KEYWORDS.search(text)):
            hosts = [""]  # a driver that is told no host takes this machine
        for found in hosts:
            host, port = _split(found)
            for chosen in [port] if port else ports or [DEFAULT_PORTS["postgresql"]]:
                yield host, chosen
        for host, port_text in _PAIR.findall(text):
            yield host, int(port_text)

    def _holding(self, path: str, directory: Path | None) -> Iterator[Path]:
        """The folders that a path leads into, links followed."""
        if not self.folders or "\0" in path:
            return
        try:
            resolved = Path(directory or "/", path).resolve()
        except (OSError, RuntimeError, ValueError):
            return
        yield from (folder for folder in self.folders if resolved == folder or folder in resolved.parents)


def remember_addresses(root: Path, addresses: Iterable[str]) -> None:
    """Writes down what nothing below an environment's folder may point at, for those who start its programs."""
    from dataops.infra.platform.records import write_record

    write_record(root / FORBIDDEN, {"addresses": sorted(set(addresses))}, mode=0o600)


def forbidden_addresses(root: Path) -> ProductionAddresses:
    """What nothing below an environment's folder may point at; nothing where nobody wrote anything down."""
    from dataops.infra.platform.records import read_record

    document = read_record(root / FORBIDDEN) or {}
    return ProductionAddresses.of(str(address) for address in document.get("addresses", ()))


def refuse_values(variables: Mapping[str, str], root: Path, what: str, directory: Path | None = None) -> None:
    """Refuses resolved values that point at production, before a program gets to see them.

    Args:
        variables: names and values.
        root: the environment's folder, see `remember_addresses`.
        what: what they are for, such as `the service api`.
        directory: what relative paths start from.

    Raises:
        PolicyError: one does; told without the value, which may hold a password.
    """
    for name, address in forbidden_addresses(root).named_by(variables, directory):
        raise PolicyError(
            f"the variable {name} of {what} points at production ({address})",
            hint=f"give {name} another value: in `variables` of dataops.yaml, or in the program that resolves it",
        )


def host_pattern(host: str) -> re.Pattern[str]:
    """Finds a host as a whole in lower-case text: not as part of a longer label, or of a longer port."""
    return re.compile(r"(?<![a-z0-9_-])" + re.escape(host) + r"(?![a-z0-9_-])")


def bucket_pattern(bucket: str) -> re.Pattern[str]:
    """Finds a bucket in lower-case text, as its own URL, in that of its service, or as a resource name."""
    name = re.escape(bucket)
    after = r"(?![a-z0-9._-]*[a-z0-9_-])"
    return re.compile(
        rf"(?:s3[an]?|gs)://{name}(?![a-z0-9._-])|arn:aws[a-z-]*:s3:::{name}(?![a-z0-9._-])"
        rf"|(?<![a-z0-9._-]){name}\.s3[.-][a-z0-9.-]*amazonaws\.com"
        rf"|s3[a-z0-9.-]*amazonaws\.com/{name}{after}|storage\.googleapis\.com/{name}{after}"
    )


def _authority(text: str) -> str:
    """The host, perhaps with a port, that a declared address means; it may be given as a URL."""
    return text.lower() if "://" not in text else urlsplit(text.lower()).netloc.rpartition("@")[2]


def _split(text: str) -> tuple[str, int]:
    """Host and port of `host`, `host:port` or `[::1]:port`; port 0 where there is none."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and (host.count(":") == 0 or host.endswith("]")):
        return host.strip("[]").lower(), int(port)
    return text.strip("[]").lower(), 0


def _paths(text: str) -> Iterator[str]:
    """Everything in a text that could be a path."""
    if "\n" not in text and len(text) < 4096:
        if text.lower().startswith("file:"):
            yield unquote(urlsplit(text).path)
        elif "://" not in text and text:
            yield text
            yield from text.split(os.pathsep) if os.pathsep in text else ()
    for spelling in dict.fromkeys((text, unquote(text))):
        for found in _PATH.findall(spelling):
            yield "/" + found.lstrip("/")
