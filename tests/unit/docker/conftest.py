"""An environment on the engine for each test, and the image that its containers are made from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.docker_engine import Scene, left_out, scene, shell_image


@pytest.fixture
def here() -> Iterator[Scene]:
    if left_out():
        pytest.skip(left_out())
    with scene() as made:
        yield made


@pytest.fixture
def shell(here: Scene) -> str:
    return shell_image()
