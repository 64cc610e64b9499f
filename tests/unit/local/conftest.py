"""A home and an environment's folder that every user may enter, with a supervisor when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dataops.infra.process import postgres_server
from dataops.infra.process.postgres_binaries import install_binaries
from dataops.infra.process.users import server_user
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.providers.local import local_handlers
from support.postgres import open_directory
from support.resources import Managed


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    with open_directory() as home:
        yield home


@pytest.fixture(scope="session")
def golden(home: Path) -> Path:
    """A stopped cluster with the table `seats` of three rows."""
    from dataops.infra.process.postgres_connection import connect

    user = server_user()
    binaries = install_binaries(home, user)
    data = home / "golden"
    postgres_server.initialize(data, binaries, user, sync=False)
    with (
        postgres_server.temporary_server(data, binaries, user, settings={"fsync": False}) as connection,
        connect(connection) as opened,
    ):
        opened.execute("CREATE TABLE seats AS SELECT generate_series(1, 3) AS n")
    return data


@pytest.fixture
def environment(home: Path) -> Iterator[Path]:
    with open_directory() as directory:
        folder = directory / "Übung 1"  # a space and a letter beyond ASCII, as in many a path
        folder.mkdir()
        yield folder


@pytest.fixture
def provider(home: Path) -> HandlerProvider:
    return HandlerProvider(local_handlers(home))


@pytest.fixture
def supervisor(provider: HandlerProvider, environment: Path) -> Iterator[Managed]:
    directory = str(environment / "supervisor")
    inputs = {"directory": directory, "environment": "feature-x"}
    managed = Managed(provider, "dataops:local:Supervisor", inputs).create()
    yield managed
    managed.delete()
