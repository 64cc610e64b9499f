"""How a Docker Engine is told that is not there, not for us, or full.

ResourceError
├── EngineUnavailableError     no engine answers, or it went away meanwhile
└── EngineFullError            its disk is full
AuthenticationError
└── EngineForbiddenError       no permission on the engine's socket
"""

from __future__ import annotations

import re

from dataops.infra.errors import AuthenticationError, ResourceError

# the engine has no code for it, only the words of the kernel
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)


class EngineFullError(ResourceError):
    """The engine's disk is full."""


class EngineUnavailableError(ResourceError):
    """No Docker Engine answers, or it stopped answering; what was done so far is found again by the next run."""


class EngineForbiddenError(AuthenticationError):
    """The user may not open the engine's socket."""


def unavailable(doing: str, why: str = "", where: str | None = None) -> EngineUnavailableError:
    """The error for an engine that is not there.

    Args:
        doing: what failed for it.
        why: what the system says.
        where: its socket.
    """
    return EngineUnavailableError(
        f"{doing} failed: the Docker Engine does not answer" + (f" ({why})" if why else ""),
        where=where,
        hint="start it (systemctl start docker, or dockerd as root), then run the command again: it goes on from there",
    )


def forbidden(doing: str, where: str | None = None) -> EngineForbiddenError:
    """The error for a socket that this user may not open; arguments as those of `unavailable`."""
    return EngineForbiddenError(
        f"{doing} failed: this user may not open the Docker Engine's socket",
        where=where,
        hint="add the user to the group docker and log in anew, or run this as root",
    )


def full() -> EngineFullError:
    """The error for a full disk."""
    return EngineFullError(
        "the disk of the Docker Engine is full",
        hint="see what takes it with docker system df, free some, then run the same command again",
    )


def is_full(message: str) -> bool:
    """Whether a message says that the disk is full."""
    return _FULL.search(message) is not None
