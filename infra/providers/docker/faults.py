"""What can go wrong with a Docker Engine, and the one place where the errors of its library are translated.

Beside those of `dataops.infra.process.docker_faults`, which need no library:

ResourceError
├── NotOursError               something of that name exists and somebody else made it
├── PortTakenError             another program listens on the port
├── BuildFailedError           an image could not be built; carries the end of the log
├── ContainerExitedError       a container ended though it should run, or failed; carries the end of its log
│   └── OutOfMemoryError       it was ended since it took more memory than its limit
└── RegistryError              a registry could not be reached or gave no sense
AuthenticationError
└── RegistryRefusedError       a registry wants other credentials
NotFoundError
└── ImageNotFoundError         neither the engine nor the registry has it
DeadlineError
└── NeverHealthyError          a container runs and does not become healthy; carries the end of its log
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dataops.infra.errors import AuthenticationError, DataopsError, DeadlineError, NotFoundError, ResourceError
from dataops.infra.process.docker_faults import forbidden, full, is_full, unavailable

# the engine has no code for these, only the words of the registry
_REFUSED = re.compile(
    r"unauthorized|authentication required|no basic auth|denied|forbidden|HTTP (?:status: )?40[13]\b", re.IGNORECASE
)
_UNREACHABLE = re.compile(
    r"dial tcp|no such host|connection refused|i/o timeout|TLS handshake|server gave HTTP|x509|lookup .* on",
    re.IGNORECASE,
)
_MISSING_IMAGE = re.compile(
    r"no such image|manifest unknown|name unknown|repository does not exist|not found|HTTP (?:status: )?404\b",
    re.IGNORECASE,
)


class NotOursError(ResourceError):
    """Something of that name exists on the engine and does not carry the environment's labels."""


class PortTakenError(ResourceError):
    """Another program listens on the port."""


class BuildFailedError(ResourceError):
    """An image could not be built; `details` is the end of the log."""


class ContainerExitedError(ResourceError):
    """A container ended with a failure, or though it should run; `details` is the end of its log."""


class OutOfMemoryError(ContainerExitedError):
    """A container was ended for taking more memory than its limit."""


class RegistryError(ResourceError):
    """A registry could not be reached, or its answer made no sense."""


class RegistryRefusedError(AuthenticationError):
    """A registry does not let these credentials in."""


class ImageNotFoundError(NotFoundError):
    """Neither the engine nor the registry has the image."""


class NeverHealthyError(DeadlineError):
    """A container runs and did not become healthy in time; `details` is the end of its log."""


def of_registry(image: str, message: str) -> DataopsError:
    """The error for what a registry said, or the engine of it, about an image."""
    if is_full(message):
        return full()
    if _REFUSED.search(message):
        return RegistryRefusedError(
            f"the registry refuses {image}", details=message, hint="docker login, with the registry's name"
        )
    if _UNREACHABLE.search(message):
        return RegistryError(
            f"the registry of {image} cannot be reached",
            details=message,
            hint="without a registry: dataops images bootstrap, and `images` in dataops.yaml",
        )
    if _MISSING_IMAGE.search(message):
        return ImageNotFoundError(f"there is no image {image}", details=message, hint="is it spelled right?")
    return RegistryError(f"the registry of {image} failed", details=message)


@contextmanager
def translated(purpose: str) -> Iterator[None]:
    """Raises what the library raises as one of ours; its `NotFound` and conflicts pass, for those who expect them.

    Args:
        purpose: what was being done: "the Docker Engine could not <purpose>" reads well.
    """
    from dataops.infra.providers.docker.library import APIError, DockerException, HTTPError, NotFound, RequestException

    try:
        yield
    except (NotFound, DataopsError):
        raise
    except APIError as error:
        if error.response is not None and error.response.status_code == 409:
            raise
        said = str(error.explanation or error)
        if is_full(said):
            raise full() from error
        raise ResourceError(f"the Docker Engine could not {purpose}", details=said) from error
    except (RequestException, HTTPError, DockerException, ConnectionError, PermissionError) as error:
        if _is_forbidden(error):
            raise forbidden(f"the request to {purpose}") from error
        raise unavailable(f"the request to {purpose}") from error


def look_up(what: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What the engine says of a thing when it is asked; None when it has no such thing."""
    from dataops.infra.providers.docker.library import NotFound

    try:
        with translated(f"look for {what}"):
            return ask()
    except NotFound:
        return None


def _is_forbidden(error: BaseException | None) -> bool:
    seen: list[object] = [error]
    while seen:
        each = seen.pop()
        if isinstance(each, PermissionError):
            return True
        if isinstance(each, BaseException):
            seen += [*each.args, each.__cause__, each.__context__ if each.__cause__ is None else None]
    return False
