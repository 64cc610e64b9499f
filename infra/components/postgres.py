"""A Postgres cluster and what exists in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.declaration import Declared


class PostgresCluster(Declared):
    """A running server of the environment's own, empty or a clone of a data directory."""

    token = "dataops:local:PostgresCluster"
    results = ("connection", "host", "port", "serverVersion", "systemIdentifier", "running")

    def __init__(
        self,
        name: str,
        *,
        data_directory: Path,
        supervisor: pulumi.Input[str],
        source: pulumi.Input[str] = "",
        settings: Mapping[str, str] | None = None,
        log_file: Path,
        generation: str = "",
        container: pulumi.Input[Mapping[str, Any]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs: dict[str, pulumi.Input[Any] | None] = {
            "dataDirectory": str(data_directory),
            "supervisor": supervisor,
            "source": source,
            "settings": dict(settings or {}),
            "logFile": str(log_file),
            "generation": generation or None,
            "container": container,
        }
        super().__init__(name, inputs, opts)

    @property
    def connection(self) -> pulumi.Output[dict[str, Any]]:
        """How the superuser connects: `host` (a socket directory), `port`, `user`; there is no password."""
        return self.output("connection")

    @property
    def host(self) -> pulumi.Output[str]:
        return self.output("host")

    @property
    def port(self) -> pulumi.Output[int]:
        return self.output("port").apply(int)

    @property
    def data_directory(self) -> pulumi.Output[str]:
        return self.output("dataDirectory")


class Role(Declared):
    """A database role; one that may log in has a generated password."""

    token = "dataops:postgres:Role"
    results = ("password",)

    def __init__(
        self,
        name: str,
        *,
        connection: pulumi.Input[Mapping[str, Any]],
        login: bool = False,
        member_of: Sequence[pulumi.Input[str]] = (),
        set_role: pulumi.Input[str] = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs: dict[str, pulumi.Input[Any] | None] = {
            "connection": connection,
            "name": name,
            "login": login,
            "memberOf": list(member_of),
            "setRole": set_role,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["password"])
        super().__init__(name, inputs, pulumi.ResourceOptions.merge(opts, secret))

    @property
    def role_name(self) -> pulumi.Output[str]:
        return self.output("name")

    @property
    def password(self) -> pulumi.Output[str]:
        """Secret; "" or nothing for a role that may not log in."""
        return pulumi.Output.secret(self.output("password"))


class Database(Declared):
    """A database with its schemas, all of one owner."""

    token = "dataops:postgres:Database"

    def __init__(
        self,
        name: str,
        *,
        connection: pulumi.Input[Mapping[str, Any]],
        owner: pulumi.Input[str],
        schemas: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, {"connection": connection, "name": name, "owner": owner, "schemas": list(schemas)}, opts)

    @property
    def database_name(self) -> pulumi.Output[str]:
        return self.output("name")


class Grant(Declared):
    """A role's privileges on tables of one schema, present and future."""

    token = "dataops:postgres:Grant"
    results = ("declared", "granted")

    def __init__(
        self,
        name: str,
        *,
        connection: pulumi.Input[Mapping[str, Any]],
        database: pulumi.Input[str],
        role: pulumi.Input[str],
        schema: str,
        tables: Sequence[str],
        privileges: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs: dict[str, pulumi.Input[Any] | None] = {
            "connection": connection,
            "database": database,
            "role": role,
            "schema": schema,
            "tables": list(tables),
            "privileges": list(privileges),
        }
        super().__init__(name, inputs, opts)
