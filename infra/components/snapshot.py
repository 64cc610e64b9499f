"""What a replica is made of, and the proof that it is what it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.declaration import Declared


class Golden(Declared):
    """A snapshot restored once for all replicas: a stopped, read-only data directory and a lake to clone."""

    token = "dataops:snapshots:Golden"
    results = ("dataDirectory", "lakeDirectory", "manifestHash", "serverVersion", "tables")

    def __init__(
        self,
        name: str,
        *,
        snapshot: str,
        store: Path,
        directory: Path,
        keys: Path,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"snapshot": snapshot, "store": str(store), "directory": str(directory), "keys": str(keys)}
        super().__init__(name, inputs, opts)

    @property
    def data_directory(self) -> pulumi.Output[str]:
        return self.output("dataDirectory")

    @property
    def lake_directory(self) -> pulumi.Output[str]:
        return self.output("lakeDirectory")

    @property
    def manifest_hash(self) -> pulumi.Output[str]:
        return self.output("manifestHash")


class Verification(Declared):
    """The checks that a replica passes before anybody may use it."""

    token = "dataops:snapshots:Verification"
    results = ("checks", "verifiedAt")

    def __init__(
        self,
        name: str,
        *,
        connection: pulumi.Input[Mapping[str, Any]],
        database: pulumi.Input[str],
        data_directory: pulumi.Input[str],
        lake: pulumi.Input[str],
        snapshot: str,
        manifest_hash: pulumi.Input[str],
        roles: Sequence[str],
        grants: Sequence[Mapping[str, Any]],
        variables: Mapping[str, pulumi.Input[str]],
        production_hosts: Sequence[str],
        forbidden_roles: Sequence[str],
        store: Path,
        keys: Path,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs: dict[str, pulumi.Input[Any] | None] = {
            "connection": connection,
            "database": database,
            "dataDirectory": data_directory,
            "lake": lake,
            "snapshot": snapshot,
            "manifestHash": manifest_hash,
            "roles": list(roles),
            "grants": [dict(grant) for grant in grants],
            "variables": pulumi.Output.secret(dict(variables)),
            "productionHosts": list(production_hosts),
            "forbiddenRoles": list(forbidden_roles),
            "store": str(store),
            "keys": str(keys),
        }
        super().__init__(name, inputs, opts)

    @property
    def checks(self) -> pulumi.Output[list[dict[str, Any]]]:
        """What was checked: `name`, `ok`, `detail`."""
        return self.output("checks")
