"""Throwaway Postgres servers on clones of golden directories: a process, or a container that testcontainers runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataops.infra.process import postgres_server
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.users import server_user

THROWAWAY = {"fsync": False, "synchronous_commit": False, "full_page_writes": False, "autovacuum": False}
"""Settings of servers whose data nobody needs after a crash."""


@contextmanager
def throwaway_server(
    source: Path | None, place: Path, home: Path, root: Path, image: str = "", port: int = 0
) -> Iterator[dict[str, Any]]:
    """Runs a server on a clone of a stopped cluster while the block runs, and removes both; gives the superuser's
    connection.

    Args:
        source: the stopped cluster; None for a new one, without anything in it.
        place: a folder for the clone, which is made.
        home: where the server's programs are kept.
        root: the folder of the environment that it is a part of, which the label of a container names.
        image: the image of the container that it runs in, "" for a process.
        port: the port of loopback that it listens on, 0 for none: then only the superuser reaches it.

    Raises:
        ConfigurationError: testcontainers is not installed.
        ResourceError, DeadlineError: it does not start.
    """
    user = server_user()
    binaries = install_binaries(home, user)
    data = place / "postgres"
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    postgres_server.remove(data)
    try:
        if source is None:
            postgres_server.initialize(data, binaries, user, sync=False)
        else:
            postgres_server.clone(source, data)
        if image:
            from dataops.envs.verification.containers import contained_server

            with contained_server(data, binaries, user, root, image, THROWAWAY, port) as connection:
                yield connection
        else:
            with postgres_server.temporary_server(data, binaries, user, settings=THROWAWAY, port=port) as connection:
                yield connection
    finally:
        postgres_server.remove(data)
