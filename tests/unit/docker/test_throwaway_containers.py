"""Throwaway containers by testcontainers: what cannot be run is told, and nothing of it is left."""

from __future__ import annotations

import pytest

from dataops.envs.verification.containers import postgres_class, running
from dataops.infra.errors import NotFoundError, ResourceError
from support.docker_engine import Scene

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def prepared() -> None:
    postgres_class()


def test_an_image_that_is_nowhere_is_named_with_what_to_do(here: Scene) -> None:
    from testcontainers.core.container import DockerContainer

    name = "registry.invalid/dataops/nothing:1"
    with pytest.raises(NotFoundError, match=name) as failed, running(DockerContainer(name)):
        pass
    assert "dataops images bootstrap" in str(failed.value.hint)


def test_a_container_that_cannot_be_started_is_removed(here: Scene, shell: str) -> None:
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(shell).with_name(here.name("broken")).with_command("no-such-program")
    with pytest.raises(ResourceError, match="no-such-program"), running(container):
        pass
    assert here.engine.client.containers(all=True, filters={"name": here.name("broken")}) == []
