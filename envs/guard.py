"""The production guard: a replica must not be able to reach production, so it is refused before anything is made.

What is declared is checked here. Values that are resolved only while it is deployed are checked by those who hand them
on (`infra.platform.addresses.refuse_values`); rows and objects when the snapshot was taken, and what connects outward
from inside the cluster by the replica's verification, before its endpoints are published.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.envs.facts import ports
from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import DataopsError, PolicyError
from dataops.infra.platform.addresses import ProductionAddresses

if TYPE_CHECKING:
    from dataops.envs.checkout import Checkout
    from dataops.infra.platform.model import Platform

PROJECT_FILE = "Pulumi.yaml"


@dataclass(frozen=True, slots=True)
class Value:
    """A configured value: what it is called, and where it stands in which file ("" for the command line)."""

    name: str
    text: str
    file: str = ""
    location: tuple[Any, ...] = ()


def production_addresses(records: Iterable[EnvironmentRecord]) -> tuple[str, ...]:
    """Where production and staging are on this machine, as they published it: `127.0.0.1:port` and `file:///folder`."""
    from dataops.infra.process.sockets import fallback_directory

    found = set()
    for record in records:
        if record.role != "replica":
            found |= {f"127.0.0.1:{port}" for port in ports(record.facts)}
            sockets = fallback_directory(Path(record.root) / "postgres")
            found |= {folder.as_uri() for folder in (Path(record.root), sockets) if folder == sockets or record.root}
    return tuple(sorted(found))


def forbidden(checkout: Checkout, platform: Platform, records: Iterable[EnvironmentRecord]) -> tuple[str, ...]:
    """Every address that a replica must not point at.

    A branch cannot take an address off the list: what production's own commit and the work tree declare counts, too.

    Args:
        checkout: the platform at hand.
        platform: as the branch describes it.
        records: every environment of the platform.
    """
    every = list(records)
    found = {*production_addresses(every), *platform.production_hosts, *checkout.platform.production_hosts}
    for record in every:
        if record.role == "production":
            with suppress(DataopsError):  # its commit may be gone, or of an older format
                found |= set(checkout.branch_platform(record.commit).production_hosts)
    return tuple(sorted(found))


def refuse_production(variables: Mapping[str, str], addresses: Iterable[str], where: str) -> None:
    """Refuses variables that point at production.

    Args:
        variables: as declared for replicas and their services.
        addresses: see `ProductionAddresses.of`.
        where: the file that declares them.

    Raises:
        PolicyError: one does; named without its value, which may hold a password.
    """
    for name, address in ProductionAddresses.of(addresses).named_by(variables):
        raise PolicyError(
            f"the variable {name} of replicas points at production ({address})",
            where=where,
            hint="give it another value in `environments.replica.variables`, or leave it out",
        )


def refuse_configuration(
    checkout: Checkout,
    platform: Platform,
    branch: str,
    commit: str,
    addresses: Iterable[str],
    given: Mapping[str, str] | None = None,
) -> None:
    """Refuses whatever a branch configures for its replica that points at production.

    Args:
        checkout, platform: the platform at hand, and as the branch describes it.
        branch, commit: the branch; its files are read from the commit.
        addresses: see `forbidden`.
        given: variables of the command line (`--var`), which come before the branch's.

    Raises:
        PolicyError: something does: names it and its file and line, never its value, which may hold a password.
    """
    guarded = ProductionAddresses.of(addresses)
    folder = checkout.folder
    values = [*configured(platform, given or {}), *_project_values(checkout, commit)]
    texts = {value.name: value.text for value in values}
    named = dict(guarded.named_by(texts, folder))
    for value in values:
        if address := named.get(value.name):
            place = _place(checkout, commit, value)
            raise PolicyError(
                f"{value.name} points at production ({address})",
                where=f"{place} on {branch}" if value.file else place,
                hint="give it another value there, or leave it out: a replica must not reach production",
            )


def configured(platform: Platform, given: Mapping[str, str]) -> Iterator[Value]:
    """Everything that `dataops.yaml` and the command line configure for a replica, in the words of errors."""
    file, replica = "dataops.yaml", platform.environments.replica
    for name, text in given.items():
        yield Value(f"--var {name}", text)
    for kind, words in (("variables", "the variable"), ("settings", "the setting"), ("parameters", "the parameter")):
        for name, text in dict(getattr(replica, kind, {})).items():
            if kind != "variables" or name not in given:
                yield Value(f"{words} {name}", str(text), file, ("environments", "replica", kind, name))
    for name, text in platform.stores.warehouse.settings.items():
        yield Value(f"the warehouse's setting {name}", text, file, ("stores", "warehouse", "settings", name))
    for service, declared in platform.services.items():
        for name, text in declared.variables.items():
            place = ("services", service, "variables", name)
            yield Value(f"the service {service}'s variable {name}", text, file, place)
        for number, text in enumerate(declared.run):
            yield Value(f"argument {number} of the service {service}", text, file, ("services", service, "run"))
    for pipeline, steps in platform.pipelines.items():
        for step in steps.steps:
            for number, text in enumerate(step.run):
                name = f"argument {number} of the step {pipeline}.{step.name}"
                yield Value(name, text, file, ("pipelines", pipeline, "steps"))


def _project_values(checkout: Checkout, commit: str) -> Iterator[Value]:
    """What `Pulumi.yaml` of the commit gives its program as configuration."""
    from dataops.infra.platform.document import parse_document

    text = checkout.repository.file_at(commit, _path(checkout, PROJECT_FILE))
    if text is None or "config" not in text:
        return
    try:
        document = parse_document(Path(PROJECT_FILE), text)
    except DataopsError:
        return  # told, with its line, by whoever runs it
    config = document.value.get("config") if isinstance(document.value, dict) else None
    for key, value in (config if isinstance(config, dict) else {}).items():
        if isinstance(value, dict):
            value = value.get("value", value.get("default", ""))
        yield Value(f"the configuration {key}", str(value), PROJECT_FILE, ("config", key))


def _place(checkout: Checkout, commit: str, value: Value) -> str:
    """`file:line` of a value; only read now, when it is needed for an error."""
    from dataops.infra.platform.document import parse_document

    if not value.file:
        return "the command line"
    text = checkout.repository.file_at(commit, _path(checkout, value.file)) or ""
    try:
        return f"{value.file}:{parse_document(Path(value.file), text).line(value.location)}"
    except DataopsError:
        return value.file


def _path(checkout: Checkout, name: str) -> str:
    return f"{checkout.subdirectory}/{name}" if checkout.subdirectory else name
