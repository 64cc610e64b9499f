"""What the stories share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.scratch_platform import ScratchPlatform, scratch_platform


@pytest.fixture(scope="session")
def shop() -> Iterator[ScratchPlatform]:
    """A platform whose production is deployed and filled, with a snapshot; tests leave it as they found it."""
    with scratch_platform() as platform:
        platform.produce()
        yield platform
