"""Carrying images to and from registries, with the credentials of Docker's own configuration."""

from __future__ import annotations

from dataops.infra.errors import DataopsError
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.faults import of_registry, translated


def push(engine: Engine, reference: str) -> str:
    """Pushes an image to the registry that its name begins with; gives `name@sha256:…`, by which it can be had again.

    Raises:
        RegistryRefusedError, RegistryError: the registry did not take it.
    """
    name, _, tag = reference.rpartition(":")
    digest = ""
    with translated(f"push {reference}"):
        for line in engine.client.push(name, tag=tag, stream=True, decode=True):
            if "error" in line:
                raise of_registry(reference, str(line["error"]))
            digest = (line.get("aux") or {}).get("Digest") or digest
    return f"{name}@{digest}"


def pull(engine: Engine, reference: str) -> None:
    """Pulls an image, by tag or by digest.

    Raises:
        ImageNotFoundError, RegistryRefusedError, RegistryError: the registry did not give it.
    """
    from dataops.infra.providers.docker.library import APIError

    name, _, tag = reference.partition("@") if "@" in reference else _tagged(reference)
    try:
        with translated(f"pull {reference}"):
            for line in engine.client.pull(name, tag=tag, stream=True, decode=True):
                if "error" in line:
                    raise of_registry(reference, str(line["error"]))
    except APIError as error:
        raise of_registry(reference, str(error.explanation)) from error
    except DataopsError as error:
        if isinstance(error.__cause__, APIError):
            raise of_registry(reference, str(error.__cause__.explanation)) from error
        raise


def _tagged(reference: str) -> tuple[str, str, str]:
    head, separator, tag = reference.rpartition(":")
    # a colon before a slash belongs to the registry's port
    return (head, separator, tag) if separator and "/" not in tag else (reference, "", "latest")
