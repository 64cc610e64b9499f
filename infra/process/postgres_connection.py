"""Connections to Postgres, and its errors in terms of ours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import DeadlineError, ResourceError

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
RECOVERY_SECONDS = 60.0
"""How long a server that is there may go on refusing everyone: after a crash it replays its log first."""


def connect(
    connection: Mapping[str, Any], database: str = "postgres", *, seconds: float = RECOVERY_SECONDS
) -> psycopg.Connection[tuple[Any, ...]]:
    """Opens a connection in autocommit mode; close it, or use it in a `with` statement.

    A server that is starting up, as one does that was killed and is brought back, is waited for.

    Args:
        connection: `host` (a socket directory or an address), `port` and `user`, `password` where one is needed, or
            `passwordFile`, which holds it, and `tls`: `sslmode` and its kin as libpq knows them, without which the
            connection is plain.
        database: the database to connect to.
        seconds: how long at most to wait for a server that is starting up.

    Raises:
        ResourceError: the server refuses or is not there.
    """
    import psycopg
    from psycopg.conninfo import make_conninfo

    parameters = make_conninfo(
        host=str(connection["host"]),
        hostaddr="",  # else PGHOSTADDR of the user's environment would override the host
        port=int(connection["port"]),
        user=str(connection["user"]),
        password=connection.get("password") or _password_in(connection.get("passwordFile")),
        dbname=database,
        options="",
        gssencmode="disable",
        # a session may hold a snapshot for hours without a word
        keepalives_idle=60,
        **(connection.get("tls") or {"sslmode": "disable"}),
        application_name="dataops",
        connect_timeout=CONNECT_SECONDS,
    )
    with postgres_errors(f"connecting to the database {database}"):
        try:
            return psycopg.connect(parameters, autocommit=True)
        except psycopg.OperationalError:
            if not _accepts_by(parameters, time.monotonic() + seconds):
                raise
        return psycopg.connect(parameters, autocommit=True)


def _password_in(path: object) -> str:
    """The password in a private file; "" where there is none, which the server then says."""
    try:
        return Path(str(path)).read_text(encoding="utf-8") if path else ""
    except OSError:
        return ""


def accepts_sessions(host: str, port: int) -> bool:
    """Whether a server that listens there accepts sessions, by the word of the server itself."""
    import psycopg  # noqa: F401 - before its parts, or two threads that import them wait for each other
    from psycopg.conninfo import make_conninfo
    from psycopg.pq import PGconn, Ping

    where = make_conninfo(host=host, hostaddr="", port=port, dbname="postgres", connect_timeout=CONNECT_SECONDS)
    return PGconn.ping(where.encode()) == Ping.OK


def _accepts_by(parameters: str, deadline: float) -> bool:
    """Waits while a server refuses everyone since it is starting up; whether it then accepts connections.

    libpq tells no SQLSTATE of a refusal, but `PQping` tells this kind from others.
    """
    from psycopg.pq import PGconn, Ping

    while (answer := PGconn.ping(parameters.encode())) == Ping.REJECT and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer == Ping.OK


@contextmanager
def postgres_errors(doing: str) -> Iterator[None]:
    """Turns errors of the driver into `ResourceError`, without the details that could hold rows or passwords.

    Args:
        doing: what was being done, such as "creating the role x".
    """
    import psycopg

    try:
        yield
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
        raise DeadlineError(f"{doing} took too long: {error.diag.message_primary}") from None
    except psycopg.errors.DiskFull:
        raise ResourceError(f"{doing} failed: no room left on the disk", hint="free some disk space") from None
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error).strip().split("\n")[0] or type(error).__name__
        code = f" ({error.sqlstate})" if error.sqlstate else ""
        raise ResourceError(f"{doing} failed: {said}{code}", hint=error.diag.message_hint) from None
