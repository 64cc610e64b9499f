"""The server that a capture reads when it is not the environment's own: its standby, say, or one that others run."""

from __future__ import annotations

from typing import Any

from dataops.infra.errors import ConfigurationError
from dataops.snapshots.target import libpq_defaults

_TLS = (
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslsni"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "channel_binding"),
)


def read_origin(dsn: str, where: str) -> tuple[dict[str, Any], str]:
    """How to connect to the server of a DSN, and the name of the database.

    What the DSN leaves out comes from the variables, service files and defaults that libpq knows.

    Args:
        dsn: checked by `check_dsn`.
        where: which option gave it.

    Raises:
        ConfigurationError: it says something that cannot be followed.
    """
    from psycopg.conninfo import conninfo_to_dict

    given = {**libpq_defaults(), **{key: str(value) for key, value in conninfo_to_dict(dsn).items() if value}}
    host, port = given.get("host") or given.get("hostaddr") or "localhost", given.get("port") or "5432"
    if "," in host or not port.isdigit():
        raise ConfigurationError("it names several servers", where=where, hint="name the one to read")
    if given.get("channel_binding") == "require":
        raise ConfigurationError(
            "channel binding cannot be had by Postgres' own programs, which read the rows",
            where=where,
            hint="leave channel_binding out; sslmode=verify-full checks the server",
        )
    if not given.get("dbname"):
        raise ConfigurationError("it names no database", where=where, hint="postgresql://user@host:5432/database")
    connection: dict[str, Any] = {"host": host, "port": int(port), "user": given.get("user", "postgres")}
    if given.get("password"):
        connection["password"] = given["password"]
    if not host.startswith("/"):
        connection["tls"] = {key: given[key] for key in _TLS if given.get(key)} or {"sslmode": "prefer"}
    return connection, given["dbname"]
