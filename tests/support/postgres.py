"""A throwaway Postgres cluster for tests, shared by a whole session: real server, real files, gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataops.infra.process import postgres_server
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.users import server_user

FAST = {"fsync": False, "full_page_writes": False, "synchronous_commit": False}


@contextmanager
def open_directory() -> Iterator[Path]:
    """A temporary directory with a short path that every user may enter, unlike pytest's."""
    directory = Path(tempfile.mkdtemp(prefix="dataops-test-", dir="/tmp"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def throwaway_cluster(home: Path, name: str = "cluster") -> Iterator[dict[str, Any]]:
    """Runs a new cluster in `home/<name>` and gives the superuser's connection (unix socket only)."""
    user = server_user()
    binaries = install_binaries(home, user)
    data = home / name
    postgres_server.initialize(data, binaries, user, sync=False)
    try:
        with postgres_server.temporary_server(data, binaries, user, settings=FAST) as connection:
            yield connection
    finally:
        postgres_server.remove(data)
