"""The Docker Engine: found as the `docker` command finds it, spoken to with its Python library."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataops.infra.errors import ConfigurationError
from dataops.infra.process.docker_host import UNIX, configuration_folder, docker_host
from dataops.infra.providers.docker.faults import look_up, translated

if TYPE_CHECKING:
    from dataops.infra.providers.docker.library import APIClient

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
        """Where the engine listens, as DOCKER_HOST would say it."""
        return docker_host(self.variables)

    def command_variables(self) -> dict[str, str]:
        """The variables with which the `docker` command reaches the same engine."""
        return {name: self.variables[name] for name in PASSED_ON if name in self.variables}

    def architecture(self) -> str:
        """What its images are for: `amd64`, `arm64`."""
        with translated("tell its version"):
            return str(self.client.version()["Arch"])

    def image(self, reference: str) -> dict[str, Any] | None:
        """What the engine says of an image, None when it has none of that name."""
        return look_up(f"the image {reference}", lambda: self.client.inspect_image(reference))

    def info(self) -> dict[str, Any]:
        """What the engine says of itself."""
        with translated("tell about itself"):
            found: dict[str, Any] = self.client.info()
            return found

    def _connect(self) -> APIClient:
        from dataops.infra.providers.docker.library import APIClient, InvalidConfigFile, kwargs_from_env

        with translated("connect"):
            host = self.host
            _knock(host)
            settings = kwargs_from_env(environment={**self.variables, "DOCKER_HOST": host})
            try:
                client = APIClient(**settings, version="auto", timeout=SECONDS)
                client.reload_config(str(configuration_folder(self.variables) / "config.json"))
            except InvalidConfigFile as error:
                raise ConfigurationError("Docker's configuration cannot be read", details=str(error)) from error
            return client


def _knock(host: str) -> None:
    """Opens the engine's socket and closes it: the library leaves one open that nobody answers."""
    if host.startswith(UNIX):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(host.removeprefix(UNIX))
            except FileNotFoundError as error:
                raise ConnectionError(str(error)) from error
