"""Where the Docker Engine listens, found as the `docker` command finds it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError

UNIX = "unix://"
DEFAULT_HOST = f"{UNIX}/var/run/docker.sock"
DEFAULT_CONTEXT = "default"


def docker_host(variables: Mapping[str, str]) -> str:
    """Where the engine listens, as `DOCKER_HOST` would say it.

    It is what `DOCKER_HOST` says, else the context that `DOCKER_CONTEXT` or Docker's configuration names, else usual.

    Raises:
        ConfigurationError: there is no such context.
    """
    if host := variables.get("DOCKER_HOST"):
        return host
    folder = configuration_folder(variables)
    named = variables.get("DOCKER_CONTEXT")
    context = named or str(_json(folder / "config.json").get("currentContext") or DEFAULT_CONTEXT)
    if context == DEFAULT_CONTEXT:
        return DEFAULT_HOST
    # the command names the folder of a context so
    digest = hashlib.sha256(context.encode()).hexdigest()
    endpoints = _json(folder / "contexts" / "meta" / digest / "meta.json").get("Endpoints") or {}
    host = (endpoints.get("docker") or {}).get("Host")
    if not host:
        raise ConfigurationError(
            f"there is no Docker context {context!r}",
            where="DOCKER_CONTEXT" if named else str(folder / "config.json"),
            hint="docker context ls",
        )
    return str(host)


def docker_socket(variables: Mapping[str, str]) -> str:
    """The path of the engine's socket.

    Raises:
        ConfigurationError: it is not on this machine, or there is no such context.
    """
    host = docker_host(variables)
    if not host.startswith(UNIX):
        raise ConfigurationError(
            f"the Docker Engine at {host} is not one of this machine: what it publishes would not be on loopback here",
            where="DOCKER_HOST" if variables.get("DOCKER_HOST") else "docker context",
            hint=f"unset it, or set DOCKER_HOST to {DEFAULT_HOST}",
        )
    return host.removeprefix(UNIX)


def configuration_folder(variables: Mapping[str, str]) -> Path:
    """Where Docker's own configuration is."""
    return Path(variables.get("DOCKER_CONFIG") or Path(variables.get("HOME") or Path.home()) / ".docker")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
