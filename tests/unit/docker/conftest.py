"""An environment on the engine for each test, and the image that its containers are made from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.docker_engine import Scene, require_image, scene


@pytest.fixture
def here() -> Iterator[Scene]:
    require_image()
    with scene() as made:
        yield made


@pytest.fixture
def shell(here: Scene) -> str:
    return require_image()
