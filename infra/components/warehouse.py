"""The warehouse of an environment: a cluster of its own, the owner of everything in it, the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pulumi

from dataops.infra.components.postgres import Database, PostgresCluster, Role
from dataops.infra.platform.access import OWNER
from dataops.infra.process.postgres_container import WAREHOUSE


@dataclass(frozen=True, slots=True)
class WarehouseArgs:
    """What a warehouse is made of.

    Args:
        supervisor: the supervisor's folder.
        data_directory, log_file: where the server keeps its data and its log.
        database, schemas: what exists in it.
        source: a stopped data directory to clone; "" for an empty cluster.
        settings: server settings.
        generation: names the data; with another one they are laid anew in place, and what is in the cluster after them.
        container: where the server runs in a container; None for a process.
    """

    supervisor: pulumi.Input[str]
    data_directory: Path
    log_file: Path
    database: str
    schemas: tuple[str, ...]
    source: pulumi.Input[str] = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    generation: str = ""
    container: pulumi.Input[Mapping[str, Any]] | None = None


class Warehouse(pulumi.ComponentResource):
    """A running Postgres with one database, whose objects all belong to one owner that nobody logs in as."""

    connection: pulumi.Output[dict[str, Any]]
    database: pulumi.Output[str]
    owner: pulumi.Output[str]
    url: pulumi.Output[str]

    def __init__(self, name: str, args: WarehouseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:Warehouse", name, None, opts)
        below = pulumi.ResourceOptions(parent=self)
        self.cluster = PostgresCluster(
            "postgres",
            data_directory=args.data_directory,
            supervisor=args.supervisor,
            source=args.source,
            settings=args.settings,
            log_file=args.log_file,
            generation=args.generation,
            container=args.container,
            opts=below,
        )
        # programs in containers find it by its name on their network, people where it is published
        self._host = self.cluster.host if args.container is None else pulumi.Output.from_input(WAREHOUSE)
        self.connection = self._connection(args.generation)
        inside = self.inside(self)
        owner = Role(OWNER, connection=self.connection, opts=inside)
        self.owner = owner.role_name
        self.objects = Database(
            args.database, connection=self.connection, owner=self.owner, schemas=args.schemas, opts=inside
        )
        self.database = self.objects.database_name
        self.url = pulumi.Output.all(self.cluster.host, self.cluster.port, self.database).apply(
            lambda at: f"postgresql://{at[0]}:{at[1]}/{at[2]}"
        )
        outputs: dict[str, Any] = {"url": self.url, "database": self.database}
        self.register_outputs(outputs)

    def _connection(self, generation: str) -> pulumi.Output[dict[str, Any]]:
        """The superuser's connection; it names the data's generation, so that what is in the cluster follows it."""
        if not generation:
            return self.cluster.connection
        return self.cluster.connection.apply(lambda connection: {**connection, "generation": generation})

    def inside(self, parent: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of what exists only in the cluster: where the cluster goes, it need not be deleted one by one."""
        return pulumi.ResourceOptions(parent=parent, deleted_with=self.cluster)

    def url_of(self, role: Role) -> pulumi.Output[str]:
        """The URL with which a role's programs log in; secret, since it holds the password."""
        found = pulumi.Output.all(self._host, self.cluster.port, self.database, role.role_name, role.password)
        return pulumi.Output.secret(
            found.apply(lambda at: f"postgresql://{quote(at[3])}:{quote(at[4] or '', safe='')}@{at[0]}:{at[1]}/{at[2]}")
        )

    def variables(self, role: Role) -> dict[str, pulumi.Input[str]]:
        """The environment variables with which a role's programs find the warehouse."""
        return {
            "WAREHOUSE_URL": self.url_of(role),
            "PGHOST": self._host,
            "PGPORT": self.cluster.port.apply(str),
            "PGUSER": role.role_name,
            "PGPASSWORD": role.password,
            "PGDATABASE": self.database,
        }
