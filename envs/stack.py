"""An environment's stack: its backend, its secrets and the engine that works on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataops.envs.passphrase import FoundPassphrase, find_passphrase
from dataops.envs.registry import EnvironmentRecord
from dataops.infra.errors import AuthenticationError, DataopsError

if TYPE_CHECKING:
    from dataops.infra.engine.deployer import Deployer
    from dataops.infra.state.backend import Backend, StackReference
    from dataops.infra.state.encryption import SecretsManager


OUR_TYPES = ("dataops:",)
"""The types of our own provider, whose operations adopt what an interrupted one left; `env down` looks for the rest."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the life cycle of environments is built on; `dataops.cli.wiring` makes the real ones.

    Args:
        backend: opens the backend at a URL or path.
        secrets: a secrets manager for a passphrase and a salt; a fresh salt where that is "".
        deployer: an engine for a backend and a secrets manager.
    """

    backend: Callable[[str], Backend]
    secrets: Callable[[str, str], SecretsManager]
    deployer: Callable[[Backend, SecretsManager], Deployer]


@dataclass(frozen=True, slots=True)
class EnvironmentStack:
    """A stack that has been opened with the right passphrase."""

    backend: Backend
    reference: StackReference
    secrets: SecretsManager = field(repr=False)
    deployer: Deployer
    passphrase_made: Path | None = None


def open_stack(
    tools: Tools,
    url: str,
    project: str,
    stack: str,
    passphrase: Callable[[bool], FoundPassphrase],
    create: bool = False,
) -> EnvironmentStack:
    """Opens an environment's stack and makes sure that the passphrase is right before anything else happens.

    Args:
        tools: see `Tools`.
        url, project, stack: where it is.
        passphrase: finds the passphrase; called with whether one may be made.
        create: makes an empty stack when there is none.

    Raises:
        AuthenticationError: the passphrase is wrong or cannot be had.
        NotFoundError: there is no such stack and `create` is not set.
    """
    from dataops.infra.state.backend import StackReference, not_found

    backend = tools.backend(url)
    reference = StackReference(project, stack)
    exists = backend.exists(reference)
    if not exists and not create:
        raise not_found(reference)
    found = passphrase(create and not backend.stacks(project))
    secrets = tools.secrets(found.text, _salt(backend, reference) if exists else _shared_salt(backend, project))
    try:
        secrets.verify()
    except AuthenticationError:
        raise AuthenticationError(
            f"the passphrase does not open the secrets of {project}",
            where=f"stack {reference.qualified} in {url}",
            hint="check what `passphrase` in dataops.yaml names; nothing has been changed",
        ) from None
    if not exists:
        backend.create(reference, secrets)
    return EnvironmentStack(backend, reference, secrets, tools.deployer(backend, secrets), found.made)


def derive_early(tools: Tools, records: Iterable[EnvironmentRecord]) -> None:
    """Begins to derive the key of the platform's secrets, which takes long, beside whatever comes first.

    The stacks of a platform share a salt, so the record of any environment will do. What is wrong with it is told
    later, by whoever needs the key.
    """
    record = next((record for record in records if record.salt), None)
    if record is None:
        return
    try:
        tools.secrets(find_passphrase(record.passphrase).text, record.salt)
    except DataopsError:
        return


def state_is_there(url: str) -> bool:
    """Whether a backend still exists; opening one that does not would make it."""
    path = Path(url.removeprefix("file://")).expanduser()
    return "://" in url.removeprefix("file://") or path.is_dir()


def _salt(backend: Backend, reference: StackReference) -> str:
    document: dict[str, Any] = backend.export(reference)
    provider = (document.get("deployment") or {}).get("secrets_providers") or {}
    return str((provider.get("state") or {}).get("salt") or "")


def _shared_salt(backend: Backend, project: str) -> str:
    """The salt of another stack of the project: the passphrase is the same, and a wrong one is told by it."""
    for summary in backend.stacks(project):
        try:
            if salt := _salt(backend, summary.reference):
                return salt
        except DataopsError:
            continue
    return ""
