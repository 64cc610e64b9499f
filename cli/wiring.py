"""The only place that builds things: workspaces, backends, secrets, provider registries, deployers.

Commands ask here for what they need and get it ready to use; nothing is kept between calls.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataops.infra.errors import AuthenticationError, ConfigurationError

if TYPE_CHECKING:
    from dataops.cli.options import Request
    from dataops.cli.workspace import Workspace
    from dataops.envs.stack import Tools
    from dataops.infra.engine.deployer import Deployer
    from dataops.infra.engine.program import Program
    from dataops.infra.providers.base import Provider, ResourceHandler
    from dataops.infra.providers.docker.engine import Engine
    from dataops.infra.providers.registry import ProviderRegistry
    from dataops.infra.state.backend import Backend, StackReference
    from dataops.infra.state.encryption import SecretsManager
    from dataops.infra.state.project import ProjectFile
    from dataops.infra.state.stack_config import StackConfig


def workspace(request: Request) -> Workspace:
    """The project that the request's folder belongs to."""
    from dataops.cli.workspace import Workspace

    return Workspace.open(request.cwd)


def backend(space: Workspace) -> Backend:
    """Where the project's stacks are kept."""
    from dataops.infra.state.backend import open_backend

    return open_backend(space.backend_url)


def settings(space: Workspace, ref: StackReference, file: Path | None = None) -> StackConfig:
    """The stack's configuration: that of its own file unless another is given."""
    from dataops.infra.state.stack_config import StackConfig

    return StackConfig(file or space.project.stack_file(ref.stack), ref.project)


def secrets(space: Workspace, config: StackConfig, ref: StackReference, request: Request) -> SecretsManager:
    """What encrypts and decrypts the stack's secrets; the key is derived beside whatever the command does next.

    A stack whose configuration has no salt gets the one that its state was encrypted with, else a new one, which is
    written to its configuration.

    Raises:
        AuthenticationError: a new salt needs a passphrase and there is none. With a known salt a missing or wrong
            passphrase is told by whoever needs the key first.
    """
    from dataops.infra.state.passphrase import HINT, PassphraseSecrets

    salt = config.encryption_salt or _recorded_salt(space, ref)
    given = _passphrase(space, request, new=salt is None)
    if salt is not None:
        return PassphraseSecrets(given, salt)
    if given is None:
        raise AuthenticationError("a new stack needs a passphrase for its secrets and none was given", hint=HINT)
    made = PassphraseSecrets.new(given)
    config.encryption_salt = made.salt
    config.save()
    return made


def secrets_of(space: Workspace, ref: StackReference, request: Request) -> SecretsManager:
    """What encrypts and decrypts the secrets of a stack that may belong to another project of the same backend.

    Raises:
        ConfigurationError: it is another project's and has no passphrase yet.
    """
    if ref.project == space.project.name:
        return secrets(space, settings(space, ref), ref, request)
    salt = _recorded_salt(space, ref)
    if salt is None:
        raise ConfigurationError(
            f"the stack {ref.qualified!r} has nothing yet to encrypt its secrets with",
            hint="run this in the folder of its project",
        )
    from dataops.infra.state.passphrase import PassphraseSecrets

    return PassphraseSecrets(_passphrase(space, request, new=False), salt)


def secrets_for(passphrase: str, salt: str) -> SecretsManager:
    """A secrets manager for a passphrase and a salt; with a fresh salt where that is ""."""
    from dataops.infra.state.passphrase import PassphraseSecrets

    return PassphraseSecrets(passphrase, salt) if salt else PassphraseSecrets.new(passphrase)


def program(project: ProjectFile) -> Program:
    """What a project's Pulumi.yaml says to run."""
    from dataops.infra.engine.program import Program

    python = project.virtualenv / "bin" / "python" if project.virtualenv else Path(sys.executable)
    return Program(project.name, project.root, project.main, python)


def provider_registry() -> ProviderRegistry:
    """The providers of this process: `dataops` beside those that the registry always knows."""
    from dataops.infra.providers.registry import ProviderRegistry

    return ProviderRegistry({"dataops": lambda context: dataops_provider()})


def deployer(store: Backend, manager: SecretsManager, engine: str = "auto") -> Deployer:
    """An engine for a backend and the secrets of one stack.

    Args:
        engine: `embedded`, `pulumi`, or `auto`, which is embedded: every target that there is can do with it.

    Raises:
        ConfigurationError: the engine is `pulumi` and there is none on PATH.
    """
    if engine == "pulumi":
        from dataops.infra.engine.pulumi_deployer import PulumiDeployer, PulumiSettings

        plugin = [sys.executable, "-P", "-m", "dataops.cli.resource_plugin"]
        return PulumiDeployer(store, manager, PulumiSettings(manager.variables(), {"dataops": plugin}))
    from dataops.infra.engine.deployer import EmbeddedDeployer

    return EmbeddedDeployer(store, provider_registry(), manager)


def environment_tools(engine: str = "auto") -> Tools:
    """What the life cycle of environments is built on; see `deployer` for the engine."""
    from dataops.envs.stack import Tools
    from dataops.infra.state.backend import open_backend

    return Tools(open_backend, secrets_for, lambda store, manager: deployer(store, manager, engine))


def resource_handlers() -> list[ResourceHandler]:
    """A handler for each resource type of ours."""
    from dataops.infra.platform.layout import default_home
    from dataops.infra.providers.docker import docker_handlers
    from dataops.infra.providers.local import local_handlers
    from dataops.infra.providers.postgres import postgres_handlers
    from dataops.snapshots.provider import snapshot_handlers

    home = default_home()
    return [*local_handlers(home), *postgres_handlers(), *docker_handlers(), *snapshot_handlers(home)]


def docker_engine() -> Engine:
    """The Docker Engine that the variables of the process name; it is looked for when it is first needed."""
    from dataops.infra.providers.docker.engine import Engine

    return Engine()


def dataops_provider() -> Provider:
    """The provider of the package `dataops`."""
    from dataops.infra.providers.handlers import HandlerProvider

    return HandlerProvider(resource_handlers())


def _recorded_salt(space: Workspace, ref: StackReference) -> str | None:
    """The salt that the stack's state was encrypted with, when there is such a stack."""
    store = backend(space)
    if not store.exists(ref):
        return None
    provider = store.export(ref)["deployment"].get("secrets_providers") or {}
    salt = (provider.get("state") or {}).get("salt")
    return salt if provider.get("type") == "passphrase" and isinstance(salt, str) else None


def _passphrase(space: Workspace, request: Request, new: bool) -> str | None:
    """From the variables, from where dataops.yaml says, or asked for."""
    from dataops.cli.workspace import PLATFORM_FILE
    from dataops.infra.state.passphrase import passphrase_from

    if (given := passphrase_from(os.environ)) is not None:
        return given
    if (space.project.root / PLATFORM_FILE).exists():
        return _platform_passphrase(space, may_make=new)
    if not request.interactive:
        return None
    words = "A passphrase for the secrets of the new stack" if new else "Passphrase"
    return str(click.prompt(words, hide_input=True, confirmation_prompt=new, err=True))


def _platform_passphrase(space: Workspace, may_make: bool) -> str:
    from dataops.cli.workspace import PLATFORM_FILE
    from dataops.envs.passphrase import find_passphrase
    from dataops.infra.platform.loader import load_platform

    source = load_platform(space.project.root / PLATFORM_FILE).passphrase
    if source.variable is not None:
        return find_passphrase({"variable": source.variable}).text
    if source.command is not None:
        return find_passphrase({"command": list(source.command), "directory": str(space.project.root)}).text
    return find_passphrase({"file": str(space.project.root / str(source.file))}, may_make).text
