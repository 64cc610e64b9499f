"""A small production, captured and restored once for all tests of snapshots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dataops.snapshots.golden import ensure_golden
from support.s3_server import CREDENTIALS, S3Server, s3_server
from support.small_production import Production, Restored, small_production


@pytest.fixture(scope="session")
def production() -> Iterator[Production]:
    with small_production() as made:
        yield made


@pytest.fixture(scope="session")
def restored(production: Production) -> Restored:
    manifest = production.capture(hosts=("db.prod.example.com",))
    return Restored(production, manifest, ensure_golden(manifest, production.layout))


@pytest.fixture(scope="session")
def running_s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(running_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return running_s3
