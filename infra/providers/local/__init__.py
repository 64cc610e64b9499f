"""Resources of the local target: an environment as processes, containers and files of this machine.

`local_handlers` lists them. Every one is idempotent: a create after a crash adopts what the first one left behind.
"""

from __future__ import annotations

from pathlib import Path

from dataops.infra.providers.base import ResourceHandler


def local_handlers(home: Path) -> list[ResourceHandler]:
    """The handlers of `dataops:local:*`.

    Args:
        home: where server binaries are kept, see `dataops.infra.platform.layout`.
    """
    from dataops.infra.providers.local.container_place import ContainerPlaceHandler
    from dataops.infra.providers.local.endpoints import EndpointsHandler
    from dataops.infra.providers.local.environment_file import EnvironmentFileHandler
    from dataops.infra.providers.local.lake import LakeHandler
    from dataops.infra.providers.local.lake_access import LakeAccessHandler
    from dataops.infra.providers.local.postgres_cluster import PostgresClusterHandler
    from dataops.infra.providers.local.service import ServiceHandler
    from dataops.infra.providers.local.supervisor import SupervisorHandler
    from dataops.infra.providers.local.text_file import TextFileHandler
    from dataops.infra.providers.local.virtual_environment import VirtualEnvironmentHandler
    from dataops.infra.providers.local.worktree import WorktreeHandler

    return [
        WorktreeHandler(),
        VirtualEnvironmentHandler(),
        SupervisorHandler(),
        ContainerPlaceHandler(),
        PostgresClusterHandler(home),
        LakeHandler(),
        LakeAccessHandler(),
        EnvironmentFileHandler(),
        TextFileHandler(),
        ServiceHandler(),
        EndpointsHandler(),
    ]
