"""Connections to Postgres, and its errors in terms of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import DeadlineError, ResourceError

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10


def connect(connection: Mapping[str, Any], database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
    """Opens a connection in autocommit mode; close it, or use it in a `with` statement.

    Args:
        connection: `host` (a socket directory or an address), `port` and `user`, and `password` where one is needed.
        database: the database to connect to.

    Raises:
        ResourceError: the server refuses or is not there.
    """
    import psycopg

    with postgres_errors(f"connecting to the database {database}"):
        return psycopg.connect(
            host=str(connection["host"]),
            hostaddr="",  # else PGHOSTADDR of the user's environment would override the host
            port=int(connection["port"]),
            user=str(connection["user"]),
            password=connection.get("password") or "",
            dbname=database,
            options="",
            sslmode="disable",
            gssencmode="disable",
            application_name="dataops",
            connect_timeout=CONNECT_SECONDS,
            autocommit=True,
        )


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
