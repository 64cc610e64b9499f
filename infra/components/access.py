"""Who may do what in an environment: roles and grants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from dataops.infra.components.postgres import Grant, Role
from dataops.infra.components.warehouse import Warehouse
from dataops.infra.platform.access import DEVELOPER, PIPELINE, GrantDeclaration


@dataclass(frozen=True, slots=True)
class AccessArgs:
    """Who gets in.

    Args:
        warehouse: where the roles exist.
        roles: product roles; nobody logs in as one.
        grants: what each of them may do.
        people: logins, each with the product roles it has; none in a replica.
        developer: whether there is a `developer`, who acts as the owner of everything: only in a replica.
    """

    warehouse: Warehouse
    roles: tuple[str, ...]
    grants: tuple[GrantDeclaration, ...]
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    developer: bool = False


class Access(pulumi.ComponentResource):
    """The roles of an environment's warehouse and their rights."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:Access", name, None, opts)
        self._below = args.warehouse.inside(self)
        self._warehouse = args.warehouse
        self.pipeline = self._owning(PIPELINE)
        self.developer = self._owning(DEVELOPER) if args.developer else None
        self.products = {
            role: Role(role, connection=args.warehouse.connection, opts=self._below) for role in args.roles
        }
        self.people = {
            login: Role(
                login,
                connection=args.warehouse.connection,
                login=True,
                member_of=[self.products[role].role_name for role in roles],
                opts=self._below,
            )
            for login, roles in args.people.items()
        }
        self.grants = [self._grant(grant) for grant in args.grants]
        self.register_outputs({"logins": sorted(self.logins)})

    @property
    def logins(self) -> dict[str, Role]:
        """Every role that may log in, by name."""
        developer = {DEVELOPER: self.developer} if self.developer else {}
        return {PIPELINE: self.pipeline, **developer, **self.people}

    @property
    def resources(self) -> list[pulumi.Resource]:
        """Every role and grant: what a check of the rights waits for."""
        return [*self.logins.values(), *self.products.values(), *self.grants]

    def passwords(self) -> pulumi.Output[dict[str, Any]]:
        """The passwords of all logins, secret."""
        return pulumi.Output.secret(pulumi.Output.all(**{name: role.password for name, role in self.logins.items()}))

    def _owning(self, name: str) -> Role:
        owner = self._warehouse.owner
        return Role(
            name,
            connection=self._warehouse.connection,
            login=True,
            member_of=[owner],
            set_role=owner,
            opts=self._below,
        )

    def _grant(self, grant: GrantDeclaration) -> Grant:
        return Grant(
            f"{grant.role}-{grant.schema}",
            connection=self._warehouse.connection,
            database=self._warehouse.database,
            role=self.products[grant.role].role_name,
            schema=grant.schema,
            tables=grant.tables,
            privileges=grant.privileges,
            opts=self._below,
        )
