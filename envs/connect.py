"""`env connect`: how to reach an environment's warehouse and lake, with secrets only where they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from dataops.envs.facts import lake_secret_of, password_of
from dataops.envs.passphrase import find_passphrase
from dataops.envs.registry import EnvironmentRecord
from dataops.envs.stack import Tools, open_stack
from dataops.envs.variables import connection_of
from dataops.infra.errors import NotFoundError
from dataops.infra.process.s3_gateway import LAKE, REGION


@dataclass(frozen=True, slots=True)
class WarehouseConnection:
    """Where a warehouse listens, for one role; `password` None unless it was asked for."""

    host: str
    port: int
    database: str
    role: str
    password: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The connection as a URL, with the password if it was asked for."""
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        return f"postgresql://{quote(self.role)}{secret}@{self.host}:{self.port}/{quote(self.database)}"

    def to_json(self) -> dict[str, Any]:
        known = {"host": self.host, "port": self.port, "database": self.database, "url": self.url}
        return {**known, "password": self.password} if self.password else known


@dataclass(frozen=True, slots=True)
class LakeConnection:
    """How to reach the server of a lake, for one role; `secret` None unless it was asked for."""

    url: str
    endpoint: str
    key: str
    secret: str | None = field(default=None, repr=False)

    def variables(self) -> dict[str, str]:
        """The connection as the variables that client libraries read."""
        secret = {"AWS_SECRET_ACCESS_KEY": self.secret} if self.secret else {}
        return {
            "LAKE_URL": self.url,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.key,
            **secret,
        }


@dataclass(frozen=True, slots=True)
class Connection:
    """How one role gets into an environment: `warehouse` and `lake` None where it has no login, or no key."""

    environment: str
    role: str
    services: Mapping[str, str]
    warehouse: WarehouseConnection | None
    lake: LakeConnection | None

    @property
    def url(self) -> str:
        """Where it leads: to the warehouse, else to the lake."""
        return self.warehouse.url if self.warehouse else self.lake.url if self.lake else ""

    def to_json(self) -> dict[str, Any]:
        """The connection as `-o json` prints it."""
        return {
            "environment": self.environment,
            "role": self.role,
            **(self.warehouse.to_json() if self.warehouse else {}),
            **({"lake": self.lake.variables()} if self.lake else {}),
            "services": dict(self.services),
        }


def connect(record: EnvironmentRecord, tools: Tools, role: str, show_password: bool) -> Connection:
    """How to reach the warehouse of an environment, and its lake where that has a server.

    Args:
        record: the environment.
        tools: see `Tools`; used only when secrets are asked for, which are in the state.
        role: a role that may log in, or that has a key to the lake.
        show_password: whether to find its secrets out.

    Raises:
        NotFoundError: the environment has no warehouse yet, or no such login role.
        AuthenticationError: the passphrase is wrong or missing.
    """
    where = connection_of(record)
    logins = [r["name"] for r in record.facts.get("roles", []) if r.get("login")]
    keys = record.facts.get("lakeAccounts", [])
    if role not in (*logins, *keys):
        raise NotFoundError(
            f"no role named {role} may log in to {record.name}",
            hint=f"those that may: {', '.join(sorted({*logins, *keys})) or 'none'}; choose with --role",
        )
    password = secret = None
    if show_password:
        stack = open_stack(
            tools, record.backend, record.project, record.stack, lambda _: find_passphrase(record.passphrase)
        )
        deployment = stack.backend.load(stack.reference, stack.secrets)
        password, secret = password_of(deployment, role), lake_secret_of(deployment, role)
    services = {name: s["url"] for name, s in record.facts.get("services", {}).items() if "url" in s}
    warehouse = WarehouseConnection(where["host"], where["port"], where["database"], role, password)
    lake = LakeConnection(record.facts.get("lake", ""), services.get(LAKE, ""), role, secret)
    return Connection(
        record.name, role, services, warehouse if role in logins else None, lake if role in keys else None
    )
