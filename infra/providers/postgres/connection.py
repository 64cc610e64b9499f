"""Sessions of the handlers: as the superuser, one handler at a time, with errors in terms of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import ResourceError
from dataops.infra.process.postgres_connection import connect, postgres_errors
from dataops.infra.providers.base import CheckFailure

if TYPE_CHECKING:
    import psycopg

    Session = psycopg.Connection[tuple[Any, ...]]

LOCK = 0x0DA7A095
LONGEST_NAME = 63


@contextmanager
def session(connection: Mapping[str, Any], doing: str, database: str = "postgres") -> Iterator[Session]:
    """A session that excludes other handlers' sessions in the same database.

    Postgres fails concurrent changes of one catalogue row ("tuple concurrently updated") instead of queueing them.

    Args:
        connection: the superuser's connection as the cluster reports it.
        doing: what for, in the words of errors, such as "creating the role x".

    Raises:
        ResourceError: the server is not there, or refuses.
    """
    with connect(connection, database) as opened, postgres_errors(doing):
        opened.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        yield opened


def is_reachable(connection: Mapping[str, Any]) -> bool:
    """Whether a server of ours listens at all where a `connection` leads; always so for other hosts."""
    import socket

    host = str(connection["host"])
    if connection.get("passwordFile"):
        try:
            connect(connection, seconds=0).close()
        except ResourceError:
            return False
        return True
    if not host.startswith("/"):
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(Path(host, f".s.PGSQL.{int(connection['port'])}")))
        except OSError:
            return False
        return True


def database_exists(opened: Session, name: str) -> bool:
    """Whether the cluster has a database of that name."""
    return opened.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def check_names(inputs: Mapping[str, Any], properties: tuple[str, ...]) -> Iterator[CheckFailure]:
    """Refuses names that Postgres would cut off or cannot hold; a property may be a name or a list of names."""
    for property_ in properties:
        value = inputs.get(property_)
        for name in value if isinstance(value, list) else [value]:
            if name is None or name == "":
                continue
            if not isinstance(name, str):
                yield CheckFailure(property_, "must be a name")
            elif len(name.encode()) > LONGEST_NAME:
                yield CheckFailure(property_, f"{name!r} is longer than {LONGEST_NAME} bytes")
            elif "\0" in name:
                yield CheckFailure(property_, "cannot hold a NUL")
