"""The S3 server that all tests of the state in a test process share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.s3_server import CREDENTIALS, S3Server, s3_server


@pytest.fixture(scope="session")
def running_s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(running_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, with credentials for it in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return running_s3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever talks to the server takes longer than the fast gate has time for."""
    for item in items:
        if "s3" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
