"""`env connect`: how to reach an environment's warehouse, with the password only where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from dataops.envs.facts import password_of
from dataops.envs.passphrase import find_passphrase
from dataops.envs.registry import EnvironmentRecord
from dataops.envs.stack import Tools, open_stack
from dataops.envs.variables import connection_of
from dataops.infra.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a warehouse listens, for one role; `password` None unless it was asked for."""

    environment: str
    host: str
    port: int
    database: str
    role: str
    services: Mapping[str, str]
    password: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The connection as a URL, with the password if it was asked for."""
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        return f"postgresql://{quote(self.role)}{secret}@{self.host}:{self.port}/{quote(self.database)}"

    def to_json(self) -> dict[str, Any]:
        """The connection as `-o json` prints it."""
        known = {
            "environment": self.environment,
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "role": self.role,
            "url": self.url,
            "services": dict(self.services),
        }
        return {**known, "password": self.password} if self.password else known


def connect(record: EnvironmentRecord, tools: Tools, role: str, show_password: bool) -> Connection:
    """How to reach the warehouse of an environment.

    Args:
        record: the environment.
        tools: see `Tools`; used only when the password is asked for, which is in the state.
        role: a role that may log in.
        show_password: whether to find the password out.

    Raises:
        NotFoundError: the environment has no warehouse yet, or no such login role.
        AuthenticationError: the passphrase is wrong or missing.
    """
    where = connection_of(record)
    logins = [r["name"] for r in record.facts.get("roles", []) if r.get("login")]
    if role not in logins:
        raise NotFoundError(
            f"no role named {role} may log in to {record.name}",
            hint=f"those that may: {', '.join(sorted(logins)) or 'none'}; choose with --role",
        )
    password = None
    if show_password:
        stack = open_stack(
            tools, record.backend, record.project, record.stack, lambda _: find_passphrase(record.passphrase)
        )
        password = password_of(stack.backend.load(stack.reference, stack.secrets), role)
    services = {name: s["url"] for name, s in record.facts.get("services", {}).items() if "url" in s}
    return Connection(record.name, where["host"], where["port"], where["database"], role, services, password)
