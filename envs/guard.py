"""The production guard: a replica must not be able to reach production, so it is refused before anything is made.

What only shows in data (connection strings in rows, roles in the cluster) is checked by the replica's verification,
before its endpoints are published; what is declared is checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dataops.envs.facts import ports
from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import PolicyError


def production_addresses(records: Iterable[EnvironmentRecord]) -> tuple[str, ...]:
    """Where production and staging answer on this machine, as they published it: `host:port`."""
    return tuple(
        sorted(
            f"{host}:{port}"
            for record in records
            if record.role != "replica"
            for port in ports(record.facts)
            for host in ("127.0.0.1", "localhost")
        )
    )


def refuse_production(variables: Mapping[str, str], addresses: Iterable[str], where: str) -> None:
    """Refuses variables that point at production.

    Args:
        variables: as declared for replicas and their services.
        addresses: hosts, or `host:port`.
        where: the file that declares them.

    Raises:
        PolicyError: one does; named without its value, which may hold a password.
    """
    for name, value in variables.items():
        for address in addresses:
            if address and address in value:
                raise PolicyError(
                    f"the variable {name} of replicas points at production ({address})",
                    where=where,
                    hint="give it another value in `environments.replica.variables`, or leave it out",
                )
