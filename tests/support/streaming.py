"""A streaming standby of a cluster: a copy by `pg_basebackup` that follows its primary."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.postgres_connection import connect
from dataops.infra.process.users import server_user

PORT = 5432
FAST = "-c fsync=off -c listen_addresses='' -c hot_standby_feedback=on"


@contextmanager
def primary_and_standby(home: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Runs both in a folder that every user may enter; gives the superuser's connections."""
    user = server_user()
    programs = install_binaries(home, user).directory
    who: dict[str, Any] = {"user": user.uid, "group": user.gid, "extra_groups": []} if user.dropped else {}

    def run(data: Path, program: str, *words: str) -> None:
        command = [str(programs / program), "-D", str(data), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=data, env={"LC_ALL": "C"}, **who)

    @contextmanager
    def server(name: str, *making: str) -> Iterator[dict[str, Any]]:
        data, sockets = home / name, home / f"{name}-socket"
        for folder in (data, sockets):
            folder.mkdir(mode=0o700)
            user.own(folder)
        run(data, *making)
        run(
            data, "pg_ctl", "-w", "-l", str(data / "log"), "-o", f"{FAST} -c unix_socket_directories={sockets}", "start"
        )
        try:
            yield {"host": str(sockets), "port": PORT, "user": "postgres"}
        finally:
            run(data, "pg_ctl", "-w", "-m", "immediate", "stop")

    with server("primary", "initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync") as primary:
        leads = f"host={primary['host']} port={PORT} user=postgres"
        with server("standby", "pg_basebackup", "-d", leads, "-R", "--checkpoint=fast", "--no-sync") as standby:
            yield primary, standby


def wait_for(primary: dict[str, Any], standby: dict[str, Any]) -> None:
    """Waits until the standby has what the primary has now."""
    with connect(primary) as session:
        row = session.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert row is not None
    with connect(standby) as session:
        while session.execute("SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", row).fetchone() != (False,):
            session.execute("SELECT pg_sleep(0.05)")
