"""The Postgres of the system, older than the one that comes with dataops, as a throwaway cluster."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from dataops.infra.process.users import server_user

Run = Callable[..., None]

PROGRAMS = Path("/usr/lib/postgresql")


@cache
def older_postgres() -> Path | None:
    """The folder with its programs; None where there is none, which in CI must not be."""
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    older = [path.parent for path in found if int(path.parts[-3]) < 18]
    if not older and os.environ.get("CI") == "true":
        raise RuntimeError(f"tests on an older Postgres cannot be run in CI: there is none below {PROGRAMS}")
    return older[-1] if older else None


@contextmanager
def older_cluster(programs: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Runs a new cluster in a folder that every user may enter, and gives the superuser's connection."""
    data, run = initialized(programs, folder / "older")
    options = f"-c listen_addresses='' -c unix_socket_directories={data} -c fsync=off"
    run("pg_ctl", "-w", "-l", str(data / "log"), "-o", options, "start")
    try:
        yield {"host": str(data), "port": 5432, "user": "postgres"}
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")


def initialized(programs: Path, data: Path) -> tuple[Path, Run]:
    """Makes a cluster as the user of servers; gives its folder and what runs one of the programs on it."""
    user = server_user()
    data.mkdir()
    user.own(data)
    who: dict[str, Any] = {"user": user.uid, "group": user.gid, "extra_groups": []} if user.dropped else {}

    def run(program: str, *words: str) -> None:
        command = [str(programs / program), "-D", str(data), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=data, env={"LC_ALL": "C"}, **who)

    run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    return data, run
