"""Carrying images to and from registries, with the credentials of Docker's own configuration."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dataops.infra.errors import DataopsError
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import RegistryRefusedError, of_registry, translated


def push(engine: Engine, reference: str) -> str:
    """Pushes an image to the registry that its name begins with; gives `name@sha256:…`, by which it can be had again.

    Raises:
        RegistryRefusedError, RegistryError: the registry did not take it.
    """
    name, tag = _parted(reference)
    _check_credentials(engine, name)
    digest = ""
    with _of_registry(reference, f"push {reference}"):
        for line in _progress(reference, engine.client.push(name, tag=tag, stream=True, decode=True)):
            digest = (line.get("aux") or {}).get("Digest") or digest
    return f"{name}@{digest}"


def pull(engine: Engine, reference: str) -> None:
    """Pulls an image, by tag or by digest.

    Raises:
        ImageNotFoundError, RegistryRefusedError, RegistryError: the registry did not give it.
    """
    name, tag = _parted(reference)
    _check_credentials(engine, name)
    with _of_registry(reference, f"pull {reference}"):
        for _ in _progress(reference, engine.client.pull(name, tag=tag, stream=True, decode=True)):
            pass


def _progress(reference: str, lines: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What the engine tells of a transfer as it goes on; it says within it that it failed."""
    for line in lines:
        if "error" in line:
            raise of_registry(reference, str(line["error"]))
        yield line


@contextmanager
def _of_registry(reference: str, purpose: str) -> Iterator[None]:
    """Tells what the registry said to the engine as the registry's word, not as the engine's."""
    from dataops.infra.providers.docker.library import APIError

    try:
        with translated(purpose):
            yield
    except APIError as error:
        raise of_registry(reference, str(error.explanation)) from error
    except DataopsError as error:
        if isinstance(error.__cause__, APIError):
            raise of_registry(reference, str(error.__cause__.explanation)) from error
        raise


def _check_credentials(engine: Engine, name: str) -> None:
    """Asks the configuration, or the helper that it names, before the engine does: it cannot tell what is wrong there.

    Raises:
        RegistryRefusedError: the helper fails, or is not installed.
    """
    from dataops.infra.providers.docker.library import DockerException, resolve_authconfig, resolve_repository_name

    client = engine.client
    registry = resolve_repository_name(name)[0]
    try:
        with warnings.catch_warnings():  # that a helper is missing is told below
            warnings.simplefilter("ignore")
            resolve_authconfig(client._auth_configs, registry, credstore_env=client.credstore_env)
    except DockerException as error:
        raise RegistryRefusedError(
            f"the credentials for {registry} cannot be had from the helper that Docker's configuration names",
            details=str(error),
            hint="credHelpers and credsStore in ~/.docker/config.json name it; it is docker-credential-NAME on PATH",
        ) from error


def _parted(reference: str) -> tuple[str, str]:
    """Name, and tag or digest."""
    if "@" in reference:
        name, _, digest = reference.partition("@")
        return name, digest
    head, separator, tag = reference.rpartition(":")
    # a colon before a slash belongs to the registry's port
    return (head, tag) if separator and "/" not in tag else (reference, "latest")
