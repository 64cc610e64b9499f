"""What a cluster of ours is configured with: settings for a small server, who may connect and how.

The superuser `postgres` can be reached over the unix socket only, by two users of the operating system: the one that
runs dataops and the one that runs the server. There is no password for it anywhere. All others need their password.
Where the server shares no socket with this machine, it is administered by a password instead, that a private file here
alone holds; its socket, which lets in the server's own user only, is for setting that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dataops.infra.process.ports import LOOPBACK
from dataops.infra.process.users import ServerUser, operating_user

SUPERUSER = "postgres"
IDENT_MAP = "dataops"
CONFIGURATION = ("postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf")
"""The files that are written at every start."""

SETTINGS: Mapping[str, str | int | bool] = {
    "max_connections": 100,
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "dynamic_shared_memory_type": "posix",
    "jit": False,
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    "checkpoint_timeout": "15min",
    "fsync": True,
    "password_encryption": "scram-sha-256",
    "ssl": False,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "datestyle": "ISO, MDY",
    "default_text_search_config": "pg_catalog.english",
    # logs hold no statements, parameters or rows: they could be passwords or personal data
    "log_destination": "stderr",
    "logging_collector": False,
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": -1,
    "log_error_verbosity": "terse",
    "log_parameter_max_length": 0,
    "log_parameter_max_length_on_error": 0,
    "log_checkpoints": False,
}
"""Settings of every cluster, unless overridden."""


def write_configuration(
    data: Path,
    user: ServerUser,
    *,
    port: int,
    sockets: Path,
    settings: Mapping[str, object] | None = None,
    listen: bool = True,
    contained: bool = False,
    apart: bool = False,
    name: str = "",
) -> None:
    """Writes postgresql.conf, pg_hba.conf and pg_ident.conf, and empties what a cloned cluster brought along.

    Args:
        data: the data directory.
        user: the server's user.
        port: TCP port on 127.0.0.1, and the number in the name of the unix socket.
        sockets: directory of the unix socket.
        settings: settings that override `SETTINGS`, by name.
        listen: whether to listen on TCP at all.
        contained: whether it runs in a container, where it listens on the network that the container is in.
        apart: whether it shares no socket with this machine; `sockets` is then a directory inside the container.
        name: the environment's, which the titles of the server's processes show.
    """
    every: dict[str, object] = {
        **SETTINGS,
        **(settings or {}),
        "listen_addresses": "" if not listen else "*" if contained else LOOPBACK,
        "port": port,
        "unix_socket_directories": '"' + str(sockets).replace('"', '""') + '"',
        "unix_socket_permissions": "0700" if apart else "0777",
        "cluster_name": name.encode("ascii", "ignore").decode()[:63],
    }
    lines = ["# Written by dataops at every start; change `settings` of the cluster instead."]
    lines += [f"{name} = {_quote(value)}" for name, value in every.items()]
    _write(data / "postgresql.conf", lines, user)
    _write(data / "postgresql.auto.conf", [], user)
    _write(
        data / "pg_hba.conf",
        [
            # an image knows no names of users, by which peer authentication goes; the socket's mode says the same
            f"local all {SUPERUSER} {'trust' if apart else f'peer map={IDENT_MAP}'}",
            "local all all scram-sha-256",
            f"host all {SUPERUSER} {'samenet scram-sha-256' if apart else 'all reject'}",
            f"host all all {'samenet' if contained else f'{LOOPBACK}/32'} scram-sha-256",
        ],
        user,
    )
    names = sorted({operating_user(), user.name})
    _write(data / "pg_ident.conf", [f'{IDENT_MAP} "{name}" {SUPERUSER}' for name in names], user)
    for leftover in ("recovery.signal", "standby.signal"):
        (data / leftover).unlink(missing_ok=True)


def change_port(data: Path, user: ServerUser, port: int) -> None:
    """Gives a stopped cluster another port; everything else of its configuration stays."""
    lines = (data / "postgresql.conf").read_text(encoding="utf-8").splitlines()
    _write(data / "postgresql.conf", [_port_line(line, port) for line in lines], user)
    (data / "dataops.port").write_text(str(port), encoding="utf-8")


def _port_line(line: str, port: int) -> str:
    return f"port = '{port}'" if line.startswith("port =") else line


def _quote(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value)
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _write(path: Path, lines: list[str], user: ServerUser) -> None:
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))
    user.own(partial)
    partial.replace(path)
