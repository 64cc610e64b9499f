"""Resources inside a Postgres cluster: roles, databases and what roles may do. `postgres_handlers` lists them.

All of them connect as the superuser through the `connection` that a cluster reports. Names may hold anything that
Postgres allows: every identifier is quoted by the driver.
"""

from __future__ import annotations

from dataops.infra.providers.base import ResourceHandler


def postgres_handlers() -> list[ResourceHandler]:
    """The handlers of `dataops:postgres:*`."""
    from dataops.infra.providers.postgres.database import DatabaseHandler
    from dataops.infra.providers.postgres.grant import GrantHandler
    from dataops.infra.providers.postgres.role import RoleHandler

    return [RoleHandler(), DatabaseHandler(), GrantHandler()]
