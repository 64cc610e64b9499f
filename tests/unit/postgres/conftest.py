"""One real server for all tests of roles, databases and grants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.postgres import open_directory, throwaway_cluster


@pytest.fixture(scope="session")
def cluster_home() -> Iterator[Path]:
    with open_directory() as home:
        yield home


@pytest.fixture(scope="session")
def connection(cluster_home: Path) -> Iterator[dict[str, Any]]:
    with throwaway_cluster(cluster_home) as connection:
        yield connection
