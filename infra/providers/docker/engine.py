"""The Docker Engine: found as the `docker` command finds it, spoken to with its Python library."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import ConfigurationError
from dataops.infra.providers.docker.faults import translated

if TYPE_CHECKING:
    from dataops.infra.providers.docker.library import APIClient

DEFAULT = "unix:///var/run/docker.sock"
SECONDS = 60
"""How long the engine may take to answer a request that is no wait."""

PASSED_ON = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "HOME")


@dataclass(slots=True)
class Engine:
    """A connection for each thread, made when it is first needed.

    Args:
        variables: what says where it is, by default the process's own: DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG….
    """

    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    _local: threading.local = field(default_factory=threading.local, repr=False)

    @property
    def client(self) -> APIClient:
        """The library's client of this thread.

        Raises:
            ConfigurationError: the library is not installed.
            EngineUnavailableError, EngineForbiddenError: there is no engine that answers.
        """
        found = getattr(self._local, "client", None)
        if found is None:
            found = self._local.client = self._connect()
        return found

    @property
    def host(self) -> str:
        """Where the engine listens, as DOCKER_HOST would say it; "" for the library's default."""
        given = self.variables.get("DOCKER_HOST", "")
        if given or not self.variables.get("DOCKER_CONTEXT"):
            return given
        return _host_of_context(self.variables["DOCKER_CONTEXT"])

    def command_variables(self) -> dict[str, str]:
        """The variables with which the `docker` command reaches the same engine."""
        return {name: self.variables[name] for name in PASSED_ON if name in self.variables}

    def architecture(self) -> str:
        """What its images are for: `amd64`, `arm64`."""
        with translated("tell its version"):
            return str(self.client.version()["Arch"])

    def info(self) -> dict[str, Any]:
        """What the engine says of itself."""
        with translated("tell about itself"):
            found: dict[str, Any] = self.client.info()
            return found

    def _connect(self) -> APIClient:
        from dataops.infra.providers.docker.library import APIClient, InvalidConfigFile, kwargs_from_env

        with translated("connect"):
            _knock(self.host or DEFAULT)
            settings = kwargs_from_env(environment={**self.variables, "DOCKER_HOST": self.host})
            try:
                client = APIClient(**settings, version="auto", timeout=SECONDS)
                if folder := self.variables.get("DOCKER_CONFIG"):
                    client.reload_config(os.path.join(folder, "config.json"))
            except InvalidConfigFile as error:
                raise ConfigurationError("Docker's configuration cannot be read", details=str(error)) from error
            return client


def _knock(host: str) -> None:
    """Opens the engine's socket and closes it: the library leaves one open that nobody answers."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(host.removeprefix("unix://"))
            except FileNotFoundError as error:
                raise ConnectionError(str(error)) from error


def _host_of_context(name: str) -> str:
    from dataops.infra.providers.docker.library import ContextAPI

    found = ContextAPI.get_context(name)
    if found is None:
        raise ConfigurationError(f"there is no Docker context {name!r}", hint="docker context ls")
    return str(found.Host or "")
