"""Resources on a Docker Engine: images, networks, volumes, containers and commands that run to their end.

`docker_handlers` lists them. What they make carries the labels of `marks.py`; nothing without those of its own
environment is touched. Each finds by name what a crash left behind and does what is missing.
"""

from __future__ import annotations

from dataops.infra.providers.base import ResourceHandler


def docker_handlers() -> list[ResourceHandler]:
    """The handlers of `dataops:docker:*`. The engine is looked for when the first of them needs it."""
    from dataops.infra.providers.docker.container import ContainerHandler
    from dataops.infra.providers.docker.engine import Engine
    from dataops.infra.providers.docker.image import ImageHandler
    from dataops.infra.providers.docker.job import ExecHandler, JobHandler
    from dataops.infra.providers.docker.network import NetworkHandler
    from dataops.infra.providers.docker.pulled_image import PulledImageHandler
    from dataops.infra.providers.docker.volume import VolumeHandler

    engine = Engine()
    return [
        ImageHandler(engine),
        PulledImageHandler(engine),
        NetworkHandler(engine),
        VolumeHandler(engine),
        ContainerHandler(engine),
        JobHandler(engine),
        ExecHandler(engine),
    ]
